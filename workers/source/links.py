"""Links followed to their end: what each payment, refund and credit note took of what it is allocated to (SPEC 4.6)."""

from __future__ import annotations

# The client of a payment p: its own, else that of the first of its targets, by id, that has one.
PAYER = """
    coalesce(p.client_id::text, (
        SELECT i.client_id::text
        FROM dashboard.allocation AS l
        CROSS JOIN LATERAL (
            SELECT client_id, kind FROM dashboard.invoice AS target
            WHERE tenant_id = l.tenant_id AND invoice_id = l.invoice_id AND status = 'posted'
            OFFSET 0
        ) i
        WHERE p.kind IN ('payment', 'refund')
            AND l.tenant_id = p.tenant_id AND l.source_kind = p.kind AND l.source_id = p.payment_id
            AND i.client_id IS NOT NULL AND (i.kind = 'invoice' OR i.kind = 'credit_note' AND p.kind = 'refund')
        ORDER BY l.invoice_id COLLATE "C"
        LIMIT 1
    ))
"""


# All valid links of each `wanted` target (tenant_id, target_id), as `link`; one by one through indexes, so these are few.
LINKS_OF_WANTED = """
    target AS MATERIALIZED (
        SELECT a.*, i.invoice_id::text AS target_id, i.kind AS target_kind, i.currency::text AS currency, i.base_rate,
               i.issue_date, coalesce(i.total, 'NaN') AS total, coalesce(i.tax, 0) AS tax,
               CASE WHEN i.kind = 'credit_note' AND i.balance IS NOT NULL THEN coalesce(i.total, 'NaN') END AS room
        FROM wanted w
        JOIN asked a ON a.tenant_id = w.tenant_id
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.invoice AS invoice
            WHERE tenant_id = w.tenant_id AND invoice_id = w.target_id AND status = 'posted'
            OFFSET 0
        ) i
        WHERE i.kind IN ('invoice', 'credit_note')
    ),
    link AS MATERIALIZED (
        SELECT a.*, CASE WHEN a.source_currency <> a.target_currency THEN {flow source on a.day} END AS source_rate,
               CASE WHEN a.source_currency <> a.target_currency THEN {flow target on a.day} END AS target_rate
        FROM (
            SELECT t.tenant_id, t.base, t.target_id, t.target_kind, coalesce(t.currency, 'XXX') AS target_currency,
                   t.total, t.room, l.allocation_id::text AS allocation_id, coalesce(l.amount, 'NaN') AS amount,
                   l.source_kind::text AS source_kind, l.source_id::text AS source_id,
                   coalesce(s.currency::text, 'XXX') AS source_currency, s.base_rate, s.day
            FROM target t
            CROSS JOIN LATERAL (
                SELECT * FROM dashboard.allocation AS allocation
                WHERE tenant_id = t.tenant_id AND invoice_id = t.target_id
                OFFSET 0
            ) l
            CROSS JOIN LATERAL (
                SELECT paid_on AS day, currency, base_rate FROM dashboard.payment AS payment
                WHERE tenant_id = t.tenant_id AND payment_id = l.source_id AND kind = l.source_kind
                    AND status = 'succeeded' AND paid_on <= t.today
                UNION ALL
                SELECT issue_date, currency, base_rate FROM dashboard.invoice AS note
                WHERE tenant_id = t.tenant_id AND invoice_id = l.source_id AND kind = l.source_kind AND kind = 'credit_note'
                    AND status = 'posted' AND issue_date <= t.today
                OFFSET 0
            ) s
            WHERE t.target_kind = 'invoice' OR l.source_kind = 'refund'
        ) a
        CROSS JOIN LATERAL (SELECT a.source_currency AS currency, a.base_rate) source
        CROSS JOIN LATERAL (SELECT a.target_currency AS currency, NULL::numeric AS base_rate) target
    ),
"""

# Follows every `link`, a common table expression of valid links: all of those of each target that is in it. A link has
#   tenant_id, base
#   target_id, target_kind, target_currency, total, room (of a credit note whose balance the host keeps, what refunds may
#   take of it; else null)
#   allocation_id, amount (in the target's currency)
#   source_kind, source_id, source_currency, day (of the source, which alone decides)
#   source_rate, target_rate: where the two currencies differ what they are converted by on that day, null without a rate
# and `followed` has beside these
#   settles   by how much the link lowers what is left of its target: negative where a refund reopens an invoice
#   taken     what of the amount is used up, so that the source does not have it any more
#   worth     taken in the source's currency; null where no rate tells
#   lacks     then the target's currency, if it is that which has no rate
#
# Without refunds and with no more than the total every link takes its amount. Other invoices are settled link by link. What
# refunds take back of a surplus is gone from the payments that brought it, the earliest first. Refunds of a credit note take
# what invoices have left of it.
_FOLLOWED = """
    sized AS (
        SELECT l.*, bool_or(l.source_kind = 'refund') OVER target OR sum(l.amount) OVER target > l.total AS hard
        FROM link l
        WHERE l.target_kind = 'invoice'
        WINDOW target AS (PARTITION BY l.tenant_id, l.target_id)
    ),
    stepped AS (
        SELECT l.*, dashboard.settled(l.source_kind, l.amount, l.total) OVER in_order AS state,
               row_number() OVER in_order AS nth
        FROM sized l
        WHERE l.hard
        WINDOW in_order AS (
            PARTITION BY l.tenant_id, l.target_id
            ORDER BY l.day, CASE l.source_kind WHEN 'payment' THEN 1 WHEN 'credit_note' THEN 2 ELSE 3 END,
                     l.source_id COLLATE "C", l.allocation_id COLLATE "C"
            ROWS UNBOUNDED PRECEDING
        )
    ),
    surplus AS (
        SELECT s.*, CASE WHEN source_kind = 'payment' THEN amount - state[4] ELSE 0 END AS over,
               sum(CASE WHEN source_kind = 'refund' THEN state[4] - state[5] ELSE 0 END)
                   OVER (PARTITION BY tenant_id, target_id) AS back,
               sum(CASE WHEN source_kind = 'payment' THEN amount - state[4] ELSE 0 END)
                   OVER (PARTITION BY tenant_id, target_id ORDER BY nth ROWS UNBOUNDED PRECEDING) AS over_so_far
        FROM stepped s
    ),
    on_invoices AS MATERIALIZED (
        SELECT {columns}, a.amount AS settles, a.amount AS taken
        FROM sized a
        WHERE NOT a.hard
        UNION ALL
        SELECT {columns}, CASE WHEN a.source_kind = 'refund' THEN -a.state[5] ELSE a.state[4] END,
               a.state[4] + least(a.over, greatest(0, a.back - (a.over_so_far - a.over)))
        FROM surplus a
    ),
    noted AS (
        SELECT a.tenant_id, a.source_id, sum({worth}) AS taken
        FROM on_invoices a
        WHERE a.source_kind = 'credit_note'
        GROUP BY a.tenant_id, a.source_id
    ),
    on_notes AS (
        SELECT a.*, coalesce(a.room, a.total - coalesce(noted.taken, 0)) AS limited,
               sum(a.amount) OVER (
                   PARTITION BY a.tenant_id, a.target_id ORDER BY a.day, a.source_id COLLATE "C", a.allocation_id COLLATE "C"
                   ROWS UNBOUNDED PRECEDING) AS so_far
        FROM link a
        FULL JOIN noted ON noted.tenant_id = a.tenant_id AND noted.source_id = a.target_id
        WHERE CASE WHEN a.target_kind = 'credit_note' THEN true ELSE false END
    ),
    capped AS (
        SELECT * FROM on_invoices
        UNION ALL
        SELECT {columns}, used_up.taken, used_up.taken
        FROM on_notes a
        CROSS JOIN LATERAL (SELECT greatest(0, least(a.amount, a.limited - (a.so_far - a.amount))) AS taken) used_up
    ),
    followed AS MATERIALIZED (
        SELECT a.*, {worth} AS worth,
               CASE WHEN a.source_rate IS NOT NULL AND a.target_rate IS NULL THEN a.target_currency END AS lacks
        FROM capped a
    )
"""
_COLUMNS = """
    a.tenant_id, a.base, a.target_id, a.target_kind, a.target_currency, a.allocation_id, a.amount, a.source_kind, a.source_id,
    a.source_currency, a.source_rate, a.target_rate, a.day
"""
# Rounding to 40 places makes the division keep as many: its error stays far below what any rounding could notice.
_WORTH = """
    CASE WHEN a.source_currency = a.target_currency THEN a.taken
         ELSE round(a.taken * a.target_rate, 40) / a.source_rate END
"""

FOLLOWED = _FOLLOWED.replace("{worth}", _WORTH).replace("{columns}", _COLUMNS)
