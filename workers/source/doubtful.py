"""Which links have to be followed where the host leaves out what is open or left over: a few of very many."""

from __future__ import annotations

from collections.abc import Mapping

from workers.capture.changes import pending_of

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
_USUALLY = """
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
"""
# {each} is where one looks: at whole books, or at single documents, which {as source}, {as target}, {as payment} and
# {as invoice} then pick out.
_DOUBTFUL = """
    doubtful_source AS MATERIALIZED (
        SELECT coalesce(s.tenant_id, l.tenant_id) AS tenant_id, coalesce(s.source_kind, l.source_kind) AS source_kind,
               coalesce(s.source_id, l.source_id) AS source_id, s.tenant_id IS NOT NULL AS valid,
               l.tenant_id IS NOT NULL AND s.given IS NULL AS follow
        FROM (
            SELECT a.tenant_id, used.source_kind::text AS source_kind, used.source_id::text AS source_id, used.amount
            FROM {each source} a
            CROSS JOIN LATERAL (
                SELECT source_kind, source_id, sum(coalesce(amount, 'NaN')) AS amount
                FROM (
                    SELECT source_kind, source_id, amount FROM dashboard.allocation AS allocation
                    WHERE tenant_id = a.tenant_id {as source} ORDER BY source_kind, source_id OFFSET 0
                ) in_order
                GROUP BY source_kind, source_id
                OFFSET 0
            ) used
        ) l
        FULL JOIN (
            SELECT a.tenant_id, p.kind::text AS source_kind, p.payment_id::text AS source_id, p.amount, p.unapplied AS given,
                   p.currency::text = a.usual AS usual
            FROM {each source} a
            CROSS JOIN LATERAL (
                SELECT * FROM dashboard.payment AS payment
                WHERE tenant_id = a.tenant_id {as payment} AND status = 'succeeded' AND paid_on <= a.today
                OFFSET 0
            ) p
            WHERE p.kind IN ('payment', 'refund')
            UNION ALL
            SELECT a.tenant_id, 'credit_note', n.invoice_id::text, n.total, n.balance, n.currency::text = a.usual
            FROM {each source} a
            CROSS JOIN LATERAL (
                SELECT * FROM dashboard.invoice AS note
                WHERE tenant_id = a.tenant_id {as invoice} AND status = 'posted' AND kind = 'credit_note'
                    AND issue_date <= a.today
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
            FROM {each target} a
            CROSS JOIN LATERAL (
                SELECT invoice_id, sum(coalesce(amount, 'NaN')) AS amount, bool_and(source_kind = 'payment') AS by_payments
                FROM (
                    SELECT invoice_id, source_kind, amount FROM dashboard.allocation AS allocation
                    WHERE tenant_id = a.tenant_id {as target} ORDER BY invoice_id OFFSET 0
                ) in_order
                GROUP BY invoice_id
                OFFSET 0
            ) paid
        ) l
        FULL JOIN (
            SELECT a.tenant_id, i.invoice_id::text AS target_id, i.kind, coalesce(i.total, 'NaN') AS total,
                   i.currency::text = a.usual AS usual,
                   i.kind = 'invoice' AND i.balance IS NULL AND coalesce(i.written_off_on >= a.today, true) AS asked_for
            FROM {each target} a
            CROSS JOIN LATERAL (
                SELECT * FROM dashboard.invoice AS invoice
                WHERE tenant_id = a.tenant_id {as invoice} AND status = 'posted'
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
    {wanted} AS MATERIALIZED (
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

_WHOLE = {"{each source}": "usually", "{each target}": "usually", "{wanted}": "wanted"} | dict.fromkeys(
    ("{as source}", "{as target}", "{as payment}", "{as invoice}"), ""
)

# What is known to be settled (workers/unsettled/) is not looked at, so no target is plain only because it was not found: of
# whatever is looked at the targets are looked at, too. And what a target that is not plain leaves to its sources depends on
# all of its links, so what the sources of `wanted` targets have left is known only when all of their targets are wanted. What
# invoices leave less or more of a credit note the refunds that pay it out have to give or get back: they are looked at as
# well, and what any note that they pay out was used for.
_OF_SOURCE = "AND source_kind IN ('payment', 'refund', 'credit_note') AND source_id = a.document_id"
_CANDIDATES = f"""
    candidate AS MATERIALIZED (
        SELECT a.*, one.document_id
        FROM usually a
        CROSS JOIN LATERAL (
            SELECT document_id FROM dashboard.unsettled WHERE tenant_id = a.tenant_id AND document_id IS NOT NULL
            UNION
            SELECT unnest(named_documents) FROM {pending_of("a")} c
            OFFSET 0
        ) one
    ),
    target_candidate AS MATERIALIZED (
        SELECT u.*, one.document_id
        FROM usually u
        JOIN (
            SELECT tenant_id, document_id FROM candidate
            UNION
            SELECT a.tenant_id, l.invoice_id::text
            FROM candidate a
            CROSS JOIN LATERAL (
                SELECT * FROM dashboard.allocation AS allocation WHERE tenant_id = a.tenant_id {_OF_SOURCE} OFFSET 0
            ) l
        ) one ON one.tenant_id = u.tenant_id
    ),
"""  # noqa: S608 (our own words)
_SINGLE = {
    "{each source}": "candidate",
    "{each target}": "target_candidate",
    "{wanted}": "wanted_first",
    "{as source}": _OF_SOURCE,
    "{as target}": "AND invoice_id = a.document_id",
    "{as payment}": "AND payment_id = a.document_id",
    "{as invoice}": "AND invoice_id = a.document_id",
}
_CLOSED = """
    first_source AS MATERIALIZED (
        SELECT tenant_id, source_kind, source_id FROM doubtful_source WHERE valid
        UNION
        SELECT w.tenant_id, l.source_kind::text, l.source_id::text
        FROM wanted_first w
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.allocation AS allocation
            WHERE tenant_id = w.tenant_id AND invoice_id = w.target_id
            OFFSET 0
        ) l
        UNION
        SELECT tenant_id, 'credit_note', target_id FROM wanted_first
    ),
    note_in_doubt AS (
        SELECT * FROM first_source WHERE source_kind = 'credit_note'
        UNION
        SELECT s.tenant_id, 'credit_note', l.invoice_id::text
        FROM first_source s
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.allocation AS allocation
            WHERE s.source_kind = 'refund' AND tenant_id = s.tenant_id AND source_kind = 'refund' AND source_id = s.source_id
            OFFSET 0
        ) l
    ),
    reached_source AS MATERIALIZED (
        SELECT * FROM first_source
        UNION
        SELECT * FROM note_in_doubt
        UNION
        SELECT n.tenant_id, 'refund', l.source_id::text
        FROM note_in_doubt n
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.allocation AS allocation
            WHERE tenant_id = n.tenant_id AND invoice_id = n.source_id AND source_kind = 'refund'
            OFFSET 0
        ) l
    ),
    wanted_next AS MATERIALIZED (
        SELECT tenant_id, target_id FROM wanted_first
        UNION
        SELECT s.tenant_id, l.invoice_id::text
        FROM reached_source s
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.allocation AS allocation
            WHERE tenant_id = s.tenant_id AND source_kind = s.source_kind AND source_id = s.source_id
            OFFSET 0
        ) l
    ),
    wanted AS MATERIALIZED (
        SELECT * FROM wanted_next
        UNION
        SELECT w.tenant_id, l.invoice_id::text
        FROM wanted_next w
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.allocation AS allocation
            WHERE tenant_id = w.tenant_id AND source_kind = 'credit_note' AND source_id = w.target_id
            OFFSET 0
        ) l
    ),
    reached AS MATERIALIZED (
        SELECT a.*, one.document_id
        FROM asked a
        JOIN (
            SELECT tenant_id, document_id FROM target_candidate
            UNION
            SELECT tenant_id, target_id FROM wanted
        ) one ON one.tenant_id = a.tenant_id
    ),
"""


def _filled(sql: str, marks: Mapping[str, str]) -> str:
    for mark, meaning in marks.items():
        sql = sql.replace(mark, meaning)
    return sql


# Of tenants whose books are looked at as a whole, and of those whose settled documents are known.
DOUBTFUL = _USUALLY + _filled(_DOUBTFUL, _WHOLE)
DOUBTFUL_OF_UNSETTLED = _USUALLY + _CANDIDATES + _filled(_DOUBTFUL, _SINGLE) + _CLOSED
