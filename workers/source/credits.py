"""Customer credit: clients' money that pays for nothing yet."""

from __future__ import annotations

from workers.source.batch import statement

# What is left of payments and refunds that nothing uses, and by how much are invoices paid beyond their total?
#
# A payment of any age may have money left, so this alone of all statements grows with history, and goes over it twice
# only: `by_source` and `by_invoice` add up allocations in the order of a covering index, without sorting, per tenant. They
# leave the few that can have money left (everything allocated is an upper bound of what counts); these are then looked at
# closely, each through an index: only allocations to posted invoices count, and for an invoice only those of payments and
# refunds that succeeded and credit notes that are posted, all by today. When a payment settled an invoice in another
# currency, what is left of it cannot be known: nothing.
CREDITS = statement("""
    , suspects AS (
        SELECT a.tenant_id, a.today, a.base, over.invoice_id, over.orphaned
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT by_invoice.invoice_id, i.invoice_id IS NULL AS orphaned
            FROM (
                SELECT ordered.invoice_id, sum(ordered.amount) FILTER (WHERE ordered.source_kind <> 'refund') AS amount
                FROM (
                    SELECT l.invoice_id, l.source_kind, l.amount FROM dashboard.allocation l
                    WHERE l.tenant_id = a.tenant_id ORDER BY l.invoice_id OFFSET 0
                ) ordered
                GROUP BY ordered.invoice_id
            ) by_invoice
            LEFT JOIN dashboard.invoice i ON i.tenant_id = a.tenant_id AND i.invoice_id = by_invoice.invoice_id
                AND i.status = 'posted' AND i.kind = 'invoice'
            WHERE i.invoice_id IS NULL OR by_invoice.amount > i.total
        ) over
    ),
    sources AS (
        SELECT a.tenant_id, a.base, spare.payment_id
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT p.payment_id
            FROM dashboard.payment p
            LEFT JOIN (
                SELECT ordered.source_kind, ordered.source_id, sum(ordered.amount) AS amount
                FROM (
                    SELECT l.source_kind, l.source_id, l.amount FROM dashboard.allocation l
                    WHERE l.tenant_id = a.tenant_id ORDER BY l.source_kind, l.source_id OFFSET 0
                ) ordered
                GROUP BY ordered.source_kind, ordered.source_id
            ) by_source ON by_source.source_kind = p.kind AND by_source.source_id = p.payment_id
            WHERE p.tenant_id = a.tenant_id AND p.status = 'succeeded' AND p.paid_on <= a.today
                AND p.amount > coalesce(by_source.amount, 0)
        ) spare
        UNION
        SELECT a.tenant_id, a.base, p.payment_id
        FROM suspects a
        CROSS JOIN LATERAL (
            SELECT p.payment_id
            FROM dashboard.allocation l
            JOIN dashboard.payment p ON p.tenant_id = l.tenant_id AND p.payment_id = l.source_id
                AND p.kind = l.source_kind AND p.status = 'succeeded' AND p.paid_on <= a.today
            WHERE l.tenant_id = a.tenant_id AND l.invoice_id = a.invoice_id
            OFFSET 0
        ) p
        WHERE a.orphaned
    ),
    found AS (
        SELECT a.tenant_id, coalesce(p.currency::text, 'XXX') AS currency, own.rate,
               CASE p.kind WHEN 'payment' THEN 1 WHEN 'refund' THEN -1 END * (p.amount - used.amount) AS amount
        FROM sources a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.payment WHERE tenant_id = a.tenant_id AND payment_id = a.payment_id OFFSET 0
        ) p
        {converted p}
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(l.amount), 0) AS amount, coalesce(bool_or(i.currency <> p.currency), false) AS foreign
            FROM dashboard.allocation l
            JOIN dashboard.invoice i ON i.tenant_id = l.tenant_id AND i.invoice_id = l.invoice_id
                AND i.status = 'posted' AND i.kind = 'invoice'
            WHERE l.tenant_id = p.tenant_id AND l.source_kind = p.kind AND l.source_id = p.payment_id
        ) used
        WHERE p.amount > used.amount AND NOT used.foreign AND p.kind IN ('payment', 'refund')
        UNION ALL
        SELECT a.tenant_id, coalesce(i.currency::text, 'XXX') AS currency, own.rate,
               least(used.paid + used.credited - i.total, used.paid)
        FROM suspects a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.invoice
            WHERE tenant_id = a.tenant_id AND invoice_id = a.invoice_id AND status = 'posted' AND kind = 'invoice'
            OFFSET 0
        ) i
        {converted i}
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(CASE l.source_kind WHEN 'refund' THEN -l.amount ELSE l.amount END)
                       FILTER (WHERE p.payment_id IS NOT NULL), 0) AS paid,
                   coalesce(sum(l.amount) FILTER (WHERE n.invoice_id IS NOT NULL), 0) AS credited
            FROM dashboard.allocation l
            LEFT JOIN dashboard.payment p ON p.tenant_id = l.tenant_id AND p.payment_id = l.source_id
                AND p.kind = l.source_kind AND p.status = 'succeeded' AND p.paid_on <= a.today
            LEFT JOIN dashboard.invoice n ON n.tenant_id = l.tenant_id AND n.invoice_id = l.source_id
                AND n.kind = l.source_kind AND n.kind = 'credit_note' AND n.status = 'posted' AND n.issue_date <= a.today
            WHERE l.tenant_id = i.tenant_id AND l.invoice_id = i.invoice_id
        ) used
        WHERE used.paid > 0 AND used.paid + used.credited > i.total
    )
    SELECT tenant_id, currency, count(*) AS documents, sum(amount) AS amount, sum(amount * rate) AS own_base
    FROM found
    GROUP BY tenant_id, currency, rate IS NULL
""")
