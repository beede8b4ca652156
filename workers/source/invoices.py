"""Invoices and credit notes: what was issued lately, and who was billed."""

from __future__ import annotations

from workers.source.batch import statement

# What was invoiced and credited on each of the trailing 90 days, and to which clients did it go? One reading, grouped twice.
#
# A document counts once as an anomaly, however much is wrong with it; a credit note needs no due date.
INVOICES = statement("""
    SELECT issued.*, c.name
    FROM (
        SELECT a.tenant_id, CASE WHEN grouping(i.client_id) = 1 THEN 'invoices' ELSE 'clients' END AS family,
               i.issue_date AS day, i.kind, i.client_id, money.no_rate,
               count(*) AS documents,
               count(*) FILTER (WHERE i.tax IS NULL OR abs(i.total) < abs(i.tax)
                                   OR i.kind = 'invoice' AND i.due_date IS NULL) AS anomalies,
               sum(sign.of * round((worth.total - coalesce(i.tax, 0)) * money.factor, money.places)) AS net,
               sum(sign.of * round(worth.total * money.factor, money.places)) AS gross,
               coalesce(sum(i.due_date - i.issue_date) FILTER (WHERE i.kind = 'invoice'), 0) AS terms_days,
               count(i.due_date) FILTER (WHERE i.kind = 'invoice') AS with_terms
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.invoice AS invoice
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND issue_date BETWEEN a.today - 89 AND a.today
            OFFSET 0
        ) i
        {flow i on i.issue_date}
        CROSS JOIN LATERAL (SELECT CASE i.kind WHEN 'invoice' THEN 1 WHEN 'credit_note' THEN -1 END AS of) sign
        CROSS JOIN LATERAL (SELECT coalesce(i.total, 'NaN') AS total) worth
        WHERE sign.of IS NOT NULL
        GROUP BY GROUPING SETS ((a.tenant_id, i.issue_date, i.kind, money.no_rate), (a.tenant_id, i.client_id, money.no_rate))
    ) issued
    LEFT JOIN LATERAL (
        SELECT name FROM dashboard.client AS client
        WHERE issued.family = 'clients' AND tenant_id = issued.tenant_id AND client_id = issued.client_id
        OFFSET 0
    ) c ON true
""")
