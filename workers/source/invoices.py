"""Invoices and credit notes: what was issued lately, what is open now, and who was billed."""

from __future__ import annotations

from workers.source.batch import statement

# A document counts once as an anomaly, however much is wrong with it; a credit note needs no due date.

# What was invoiced and credited on each of the trailing 90 days?
INVOICES = statement("""
    SELECT a.tenant_id, i.issue_date AS day, i.kind, money.currency,
           count(*) AS documents,
           count(*) FILTER (WHERE i.tax IS NULL OR abs(i.total) < abs(i.tax)
                               OR i.kind = 'invoice' AND i.due_date IS NULL) AS anomalies,
           sum(sign.of * (worth.total - coalesce(i.tax, 0)) * money.factor) AS net,
           sum(sign.of * worth.total * money.factor) AS gross,
           coalesce(sum(i.due_date - i.issue_date) FILTER (WHERE i.kind = 'invoice'), 0) AS terms_days,
           count(i.due_date) FILTER (WHERE i.kind = 'invoice') AS with_terms
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT * FROM dashboard.invoice
        WHERE tenant_id = a.tenant_id AND status = 'posted' AND issue_date BETWEEN a.today - 89 AND a.today
        OFFSET 0
    ) i
    {converted i}
    CROSS JOIN LATERAL (SELECT CASE i.kind WHEN 'invoice' THEN 1 WHEN 'credit_note' THEN -1 END AS of) sign
    CROSS JOIN LATERAL (SELECT coalesce(i.total, 'NaN') AS total) worth
    WHERE sign.of IS NOT NULL
    GROUP BY a.tenant_id, i.issue_date, i.kind, money.currency
""")

# To which clients did that revenue go? Same documents, by client; the rate is that of the issue date where one is needed.
CLIENTS = statement("""
    SELECT billed.tenant_id, billed.client_id, c.name, billed.currency, billed.rate_date, billed.documents, billed.net
    FROM (
        SELECT a.tenant_id, i.client_id, money.currency,
               CASE WHEN own.rate IS NULL THEN i.issue_date END AS rate_date,
               count(*) AS documents,
               sum(CASE i.kind WHEN 'invoice' THEN 1 WHEN 'credit_note' THEN -1 END
                   * (coalesce(i.total, 'NaN') - coalesce(i.tax, 0)) * money.factor) AS net
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.invoice
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND issue_date BETWEEN a.today - 89 AND a.today
            OFFSET 0
        ) i
        {converted i}
        WHERE i.kind IN ('invoice', 'credit_note')
        GROUP BY a.tenant_id, i.client_id, money.currency, rate_date
    ) billed
    LEFT JOIN dashboard.client c ON c.tenant_id = billed.tenant_id AND c.client_id = billed.client_id
""")

# What do clients owe now, and for how long? Only invoices with a balance are looked at, however many were ever paid.
# Where the host keeps no balance it is what the counted allocations leave of the total (SPEC 4.6).
OPEN_INVOICES = statement("""
    SELECT tenant_id, bucket, due_on, currency,
           count(*) AS documents, count(*) FILTER (WHERE anomaly) AS anomalies,
           sum(balance) AS amount, sum(balance * rate) AS own_base,
           max(balance) AS largest, max(balance * rate) AS largest_own_base
    FROM (
        SELECT a.tenant_id,
               CASE WHEN i.due_date >= a.today OR i.due_date IS NULL THEN 'current'
                    WHEN a.today - i.due_date <= 30 THEN '1-30'
                    WHEN a.today - i.due_date <= 60 THEN '31-60'
                    WHEN a.today - i.due_date <= 90 THEN '61-90'
                    ELSE '90+' END AS bucket,
               CASE WHEN i.due_date BETWEEN a.today AND a.today + 29 THEN i.due_date END AS due_on,
               coalesce(i.currency::text, 'XXX') AS currency,
               i.tax IS NULL OR abs(i.total) < abs(i.tax) OR i.due_date IS NULL OR i.issue_date > a.today AS anomaly,
               coalesce(i.balance, coalesce(i.total, 'NaN') - settled.amount) AS balance,
               own.rate
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.invoice
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND kind = 'invoice' AND (balance IS NULL OR balance > 0)
                AND (written_off_on IS NULL OR written_off_on > a.today)
            OFFSET 0
        ) i
        {converted i}
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(CASE l.source_kind WHEN 'refund' THEN -l.amount ELSE l.amount END), 0) AS amount
            FROM dashboard.allocation l
            LEFT JOIN dashboard.payment p ON p.tenant_id = l.tenant_id AND p.payment_id = l.source_id
                AND p.kind = l.source_kind AND p.status = 'succeeded' AND p.paid_on <= a.today
            LEFT JOIN dashboard.invoice n ON n.tenant_id = l.tenant_id AND n.invoice_id = l.source_id
                AND n.kind = l.source_kind AND n.status = 'posted' AND n.issue_date <= a.today
            WHERE i.balance IS NULL AND l.tenant_id = i.tenant_id AND l.invoice_id = i.invoice_id
                AND CASE l.source_kind WHEN 'credit_note' THEN n.invoice_id ELSE p.payment_id END IS NOT NULL
        ) settled
    ) open
    WHERE balance > 0
    GROUP BY tenant_id, bucket, due_on, currency, rate IS NULL
""")
