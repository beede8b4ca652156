"""Which links have to be followed where the host leaves out what is open or left over: a few of very many."""

from __future__ import annotations

# Two passes add up allocations in the order of their covering indexes, by target and by source, and leave out:
#   a target that is plain: a posted invoice in the tenant's usual currency with payments only, together no more than its
#       total. Capping changes nothing there, so every valid link takes its whole amount. If its balance is asked for, it is
#       left out only when they come to its total; then nothing is open, provided that all of its links are valid.
#   a source in the usual currency of which allocations take all, or whose rest the host tells as nothing. It has nothing
#       left, provided that all of its links go to plain targets; these are in the same currency.
# Where either proviso does not hold, something else is not left out and brings the row back:
#   an allocation of no valid source (failed, yet to come, void, missing) stands among the sources, and all that it goes to
#       is `wanted`, as is what a source in another currency goes to;
#   an allocation to no valid target (void, draft, missing) makes its target wanted, and so do credit notes, refunds, a
#       surplus and another currency; the sources of whatever is allocated to wanted targets are looked at with what those
#       really took (credits.py).
#
# The usual currency is guessed from the newest invoices: a wrong guess costs time, and no number depends on it. The joins
# are FULL for the reason told in batch.py.
DOUBTFUL = """
    , usually AS MATERIALIZED (
        SELECT a.*, coalesce((
            SELECT mode() WITHIN GROUP (ORDER BY newest.currency)
            FROM (
                SELECT currency::text AS currency FROM dashboard.invoice AS invoice
                WHERE tenant_id = a.tenant_id AND status = 'posted'
                ORDER BY issue_date DESC
                LIMIT 100
            ) newest
        ), a.base) AS usual
        FROM asked a
    ),
    doubtful_source AS MATERIALIZED (
        SELECT coalesce(s.tenant_id, l.tenant_id) AS tenant_id, coalesce(s.source_kind, l.source_kind) AS source_kind,
               coalesce(s.source_id, l.source_id) AS source_id, s.tenant_id IS NOT NULL AS valid,
               l.tenant_id IS NOT NULL AND s.given IS NULL AS follow
        FROM (
            SELECT a.tenant_id, used.source_kind::text AS source_kind, used.source_id::text AS source_id, used.amount
            FROM usually a
            CROSS JOIN LATERAL (
                SELECT source_kind, source_id, sum(coalesce(amount, 'NaN')) AS amount
                FROM (
                    SELECT source_kind, source_id, amount FROM dashboard.allocation AS allocation
                    WHERE tenant_id = a.tenant_id ORDER BY source_kind, source_id OFFSET 0
                ) in_order
                GROUP BY source_kind, source_id
                OFFSET 0
            ) used
        ) l
        FULL JOIN (
            SELECT a.tenant_id, p.kind::text AS source_kind, p.payment_id::text AS source_id, p.amount, p.unapplied AS given,
                   p.currency::text = a.usual AS usual
            FROM usually a
            CROSS JOIN LATERAL (
                SELECT * FROM dashboard.payment AS payment
                WHERE tenant_id = a.tenant_id AND status = 'succeeded' AND paid_on <= a.today
                OFFSET 0
            ) p
            WHERE p.kind IN ('payment', 'refund')
            UNION ALL
            SELECT a.tenant_id, 'credit_note', n.invoice_id::text, n.total, n.balance, n.currency::text = a.usual
            FROM usually a
            CROSS JOIN LATERAL (
                SELECT * FROM dashboard.invoice AS note
                WHERE tenant_id = a.tenant_id AND status = 'posted' AND kind = 'credit_note' AND issue_date <= a.today
                OFFSET 0
            ) n
        ) s ON s.tenant_id = l.tenant_id AND s.source_kind = l.source_kind AND s.source_id = l.source_id
        WHERE CASE WHEN s.tenant_id IS NULL THEN true
                   WHEN s.given IS NOT NULL THEN s.given > 0
                   WHEN s.usual THEN (s.amount <= coalesce(l.amount, 0)) IS NOT TRUE
                   ELSE true END
    ),
    doubtful_target AS MATERIALIZED (
        SELECT coalesce(t.tenant_id, l.tenant_id) AS tenant_id, coalesce(t.target_id, l.target_id) AS target_id,
               l.tenant_id IS NOT NULL AS linked
        FROM (
            SELECT a.tenant_id, paid.invoice_id::text AS target_id, paid.amount, paid.by_payments
            FROM usually a
            CROSS JOIN LATERAL (
                SELECT invoice_id, sum(coalesce(amount, 'NaN')) AS amount, bool_and(source_kind = 'payment') AS by_payments
                FROM (
                    SELECT invoice_id, source_kind, amount FROM dashboard.allocation AS allocation
                    WHERE tenant_id = a.tenant_id ORDER BY invoice_id OFFSET 0
                ) in_order
                GROUP BY invoice_id
                OFFSET 0
            ) paid
        ) l
        FULL JOIN (
            SELECT a.tenant_id, i.invoice_id::text AS target_id, i.kind, coalesce(i.total, 'NaN') AS total,
                   i.currency::text = a.usual AS usual, i.kind = 'invoice' AND i.balance IS NULL AS asked_for
            FROM usually a
            CROSS JOIN LATERAL (
                SELECT * FROM dashboard.invoice AS invoice
                WHERE tenant_id = a.tenant_id AND status = 'posted'
                OFFSET 0
            ) i
            WHERE i.kind IN ('invoice', 'credit_note')
        ) t ON t.tenant_id = l.tenant_id AND t.target_id = l.target_id
        WHERE CASE WHEN l.tenant_id IS NULL THEN t.asked_for
                   WHEN t.tenant_id IS NULL THEN true
                   WHEN t.kind = 'invoice' AND l.by_payments AND t.usual AND l.amount <= t.total
                   THEN t.asked_for AND l.amount < t.total
                   ELSE true END
    ),
    wanted AS MATERIALIZED (
        SELECT tenant_id, target_id FROM doubtful_target WHERE linked
        UNION
        SELECT s.tenant_id, l.invoice_id::text
        FROM doubtful_source s
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.allocation AS allocation
            WHERE s.follow AND tenant_id = s.tenant_id AND source_kind = s.source_kind AND source_id = s.source_id
            OFFSET 0
        ) l
    ),
"""
