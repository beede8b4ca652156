"""What is open now, and what pays for nothing yet: both follow from the same links where the host does not keep them."""

from __future__ import annotations

from workers.source.batch import statement
from workers.source.credits import CREDITS, SPARE
from workers.source.links import FOLLOWED, PAYER
from workers.source.receivables import FOLLOWED_OPEN, INCOMING, OPEN, OPEN_INVOICES

# A host that fills `balance` and `unapplied` has said it all: only what is open and unapplied is looked at, however much
# ever was.
_TOLD = """
    , spare AS (
        SELECT a.tenant_id, p.kind::text AS source_kind, p.payment_id::text AS source_id, p.client_id::text AS client_id,
               p.paid_on AS day, coalesce(p.currency::text, 'XXX') AS currency, p.base_rate, p.unapplied AS left_over,
               false AS unknown, NULL::text AS lacks
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.payment AS payment
            WHERE a.links_known AND tenant_id = a.tenant_id AND status = 'succeeded'
                AND (unapplied IS NULL OR unapplied > 0) AND paid_on <= a.today
            OFFSET 0
        ) p
        WHERE p.kind IN ('payment', 'refund')
        UNION ALL
        SELECT a.tenant_id, 'credit_note', n.invoice_id::text, n.client_id::text, n.issue_date,
               coalesce(n.currency::text, 'XXX'), n.base_rate, n.balance, false, NULL
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.invoice AS note
            WHERE a.links_known AND tenant_id = a.tenant_id AND status = 'posted' AND kind = 'credit_note'
                AND (balance IS NULL OR balance > 0) AND issue_date <= a.today
            OFFSET 0
        ) n
    )
"""

# Of a tenant that leaves some of it out every link is read, once and as a set, because nobody knows beforehand what is open:
# read one by one through an index they would cost several pages each. Most targets are plain: payments in their own
# currency, no more than the total. There every link takes its amount; the others are special, and followed link by link.
_LINKS = """
    , source AS MATERIALIZED (
        SELECT a.tenant_id, p.kind::text AS source_kind, p.payment_id::text AS source_id, p.client_id::text AS client_id,
               p.paid_on AS day, coalesce(p.currency::text, 'XXX') AS currency, p.base_rate,
               coalesce(p.amount, 'NaN') AS amount, p.unapplied AS given
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.payment AS payment
            WHERE tenant_id = a.tenant_id AND status = 'succeeded' AND paid_on <= a.today
            OFFSET 0
        ) p
        WHERE p.kind IN ('payment', 'refund')
        UNION ALL
        SELECT a.tenant_id, 'credit_note', n.invoice_id::text, n.client_id::text, n.issue_date,
               coalesce(n.currency::text, 'XXX'), n.base_rate, coalesce(n.total, 'NaN'), n.balance
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.invoice AS note
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND kind = 'credit_note' AND issue_date <= a.today
            OFFSET 0
        ) n
    ),
    target AS MATERIALIZED (
        SELECT a.tenant_id, a.base, i.invoice_id::text AS target_id, i.kind::text AS target_kind,
               coalesce(i.currency::text, 'XXX') AS currency, coalesce(i.total, 'NaN') AS total,
               CASE WHEN i.kind = 'credit_note' AND i.balance IS NOT NULL THEN coalesce(i.total, 'NaN') END AS room
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.invoice AS invoice
            WHERE tenant_id = a.tenant_id AND status = 'posted'
            OFFSET 0
        ) i
        WHERE i.kind IN ('invoice', 'credit_note')
    ),
    every_link AS MATERIALIZED (
        SELECT t.tenant_id, t.base, t.target_id, t.target_kind, t.currency AS target_currency, t.total, t.room,
               l.allocation_id::text AS allocation_id, coalesce(l.amount, 'NaN') AS amount, s.source_kind, s.source_id,
               s.currency AS source_currency, s.base_rate AS source_rate, s.day
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.allocation AS allocation
            WHERE tenant_id = a.tenant_id
            OFFSET 0
        ) l
        FULL JOIN target t ON t.tenant_id = a.tenant_id AND t.target_id = l.invoice_id
        FULL JOIN source s ON s.tenant_id = a.tenant_id AND s.source_kind = l.source_kind AND s.source_id = l.source_id
        WHERE {both l.tenant_id t.tenant_id} AND {both l.tenant_id s.tenant_id}
            AND CASE WHEN t.target_kind = 'invoice' OR s.source_kind = 'refund' THEN true ELSE false END
    ),
    target_sum AS MATERIALIZED (
        SELECT tenant_id, target_id, sum(amount) AS settles,
               bool_or(target_kind <> 'invoice' OR source_kind <> 'payment' OR source_currency <> target_currency)
               OR sum(amount) > min(total) AS special
        FROM every_link
        GROUP BY tenant_id, target_id
    ),
    link AS MATERIALIZED (
        SELECT l.*
        FROM every_link l
        FULL JOIN (SELECT tenant_id, target_id FROM target_sum WHERE special) s
            ON s.tenant_id = l.tenant_id AND s.target_id = l.target_id
        WHERE {both l.tenant_id s.tenant_id}
    ),
"""

_ANSWER = OPEN_INVOICES + "UNION ALL" + INCOMING + "UNION ALL" + CREDITS

# What do clients owe now, for how long, and when is it expected? What money of theirs pays for nothing yet?
BALANCES = statement(_TOLD + OPEN + _ANSWER, payer=PAYER)
FOLLOWED_BALANCES = statement(_LINKS + FOLLOWED + FOLLOWED_OPEN + SPARE + _ANSWER, payer=PAYER)
