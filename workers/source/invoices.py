"""Invoices and credit notes: what was issued lately, and who was billed."""

from __future__ import annotations

from workers.facts import ClientGroup, InvoiceGroup
from workers.source.batch import Family

# What was invoiced and credited in the trailing 90 days? Read once, for whatever looks at it.
#
# A document counts once as an anomaly, however much is wrong with it; a credit note needs no due date.
RECENT_INVOICES = """
    recent_invoice AS MATERIALIZED (
        SELECT a.tenant_id, a.today, i.issue_date AS day, i.kind::text AS kind, i.client_id::text AS client_id,
               money.no_rate,
               i.tax IS NULL OR abs(i.total) < abs(i.tax) OR i.kind = 'invoice' AND i.due_date IS NULL AS anomaly,
               CASE WHEN i.kind = 'invoice' THEN i.due_date - i.issue_date END AS terms_days,
               round((worth.total - coalesce(i.tax, 0)) * signed.factor, money.places) AS net,
               round(worth.total * signed.factor, money.places) AS gross
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT invoice_id, reference, client_id, kind, issue_date, due_date, currency, total, tax,
                   {flow invoice on invoice.issue_date} AS rate_to_base
            FROM dashboard.invoice AS invoice
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND issue_date BETWEEN a.today - 89 AND a.today
                AND kind IN ('invoice', 'credit_note')
            OFFSET 0
        ) i
        {money i}
        CROSS JOIN LATERAL (SELECT CASE i.kind WHEN 'invoice' THEN money.factor ELSE -money.factor END AS factor) signed
        CROSS JOIN LATERAL (SELECT coalesce(i.total, 'NaN') AS total) worth
    )
"""

# On each of these days.
INVOICES = Family(
    "invoices",
    InvoiceGroup,
    """
    SELECT tenant_id, day, kind, no_rate, count(*) AS documents, count(*) FILTER (WHERE anomaly) AS anomalies,
           sum(net) AS net, sum(gross) AS gross, coalesce(sum(terms_days), 0) AS terms_days, count(terms_days) AS with_terms
    FROM recent_invoice
    GROUP BY tenant_id, day, kind, no_rate
""",
)

# To which clients did it go?
CLIENTS = Family(
    "clients",
    ClientGroup,
    """
    SELECT billed.*, c.name
    FROM (
        SELECT tenant_id, client_id, no_rate, count(*) AS documents, sum(net) AS net
        FROM recent_invoice
        GROUP BY tenant_id, client_id, no_rate
    ) billed
    LEFT JOIN LATERAL (
        SELECT name FROM dashboard.client AS client WHERE tenant_id = billed.tenant_id AND client_id = billed.client_id
        OFFSET 0
    ) c ON true
""",
)
