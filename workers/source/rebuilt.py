"""What of a tenant's invoices was open when yesterday ended, worked out from its documents (SPEC 4).

Of a tenant that Daybook has not known yesterday that is the close to compare with; of each it says what moved since.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from workers.facts import RebuiltClose
from workers.source.batch import Batch, Family, statement
from workers.source.doubtful import DOUBTFUL, DOUBTFUL_OF_UNSETTLED
from workers.source.links import FOLLOWED, LINKS_OF_WANTED, PAYER

# What money and credit notes of today are allocated to: its balance was another one yesterday.
_TOUCHED_TODAY = """
    touched_today AS MATERIALIZED (
        SELECT DISTINCT a.tenant_id, l.invoice_id::text AS target_id
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT kind::text AS kind, payment_id::text AS id FROM dashboard.payment AS payment
            WHERE tenant_id = a.tenant_id AND status = 'succeeded' AND paid_on = a.today
            UNION ALL
            SELECT 'credit_note', invoice_id::text FROM dashboard.invoice AS note
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND kind = 'credit_note' AND issue_date = a.today
            OFFSET 0
        ) s
        CROSS JOIN LATERAL (
            SELECT invoice_id FROM dashboard.allocation AS allocation
            WHERE tenant_id = a.tenant_id AND source_kind = s.kind AND source_id = s.id
            OFFSET 0
        ) l
    )
"""
_TOUCHED = "SELECT tenant_id, target_id FROM touched_today"

# Links settle an invoice in the order of their days, so what was settled by yesterday is the sum of the earlier ones.
_SETTLED = """
    settled_then AS (
        SELECT w.tenant_id, w.target_id, coalesce(sum(f.settles) FILTER (WHERE f.day < a.today), 0) AS before,
               coalesce(sum(f.settles) FILTER (WHERE f.day = a.today), 0) AS today
        FROM wanted w
        JOIN asked a ON a.tenant_id = w.tenant_id
        LEFT JOIN followed f ON f.tenant_id = w.tenant_id AND f.target_id = w.target_id
        GROUP BY w.tenant_id, w.target_id
    )
"""
_ALL_SETTLED = _SETTLED.replace(
    "GROUP BY w.tenant_id, w.target_id",
    """GROUP BY w.tenant_id, w.target_id
        UNION ALL
        SELECT tenant_id, target_id, 0, 0 FROM doubtful_target WHERE NOT linked""",
)

# As `open` of receivables.py, with yesterday in place of today. An invoice without a balance that is nowhere in doubt was
# settled before today. It is not materialized: who only counts pays for no conversion.
_OPEN_OF_THESE = """
    open AS (
        SELECT a.tenant_id, closed.day AS today, i.invoice_id::text AS invoice_id, i.reference::text AS reference,
               i.client_id, i.issue_date, i.due_date, coalesce(i.currency::text, 'XXX') AS currency, own_money.amount,
               money.no_rate, round(then_open.balance * money.factor, money.places) AS worth
        FROM asked a
        CROSS JOIN LATERAL (
            {these}
            UNION ALL
            SELECT settled.* FROM settled_then s
            CROSS JOIN LATERAL (
                SELECT * FROM dashboard.invoice AS invoice
                WHERE tenant_id = s.tenant_id AND invoice_id = s.target_id AND status = 'posted' AND kind = 'invoice'
                    AND balance <= 0
                OFFSET 0
            ) settled
            WHERE s.tenant_id = a.tenant_id
            OFFSET 0
        ) i
        FULL JOIN settled_then s ON s.tenant_id = i.tenant_id AND s.target_id = i.invoice_id
        CROSS JOIN LATERAL (
            SELECT CASE WHEN i.balance IS NULL THEN coalesce(i.total, 'NaN') - coalesce(s.before, i.total, 'NaN')
                        ELSE greatest(i.balance, 0) + coalesce(s.today, 0) END AS balance
        ) then_open
        CROSS JOIN LATERAL (SELECT round(then_open.balance, {minor i.currency}) AS amount) own_money
        CROSS JOIN LATERAL (SELECT a.today - 1 AS day) closed
        CROSS JOIN LATERAL (SELECT i.currency, {balance i on closed.day} AS rate_to_base OFFSET 0) converted
        {money converted}
        WHERE {there i.tenant_id} AND i.issue_date < a.today AND (i.written_off_on IS NULL OR i.written_off_on >= a.today)
            AND own_money.amount > 0
    )
"""
_OF_ALL = """
            SELECT * FROM dashboard.invoice AS invoice
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND kind = 'invoice' AND (balance IS NULL OR balance > 0)
"""
_OF_REACHED = """
            SELECT one.* FROM reached r
            CROSS JOIN LATERAL (
                SELECT * FROM dashboard.invoice AS invoice
                WHERE tenant_id = r.tenant_id AND invoice_id = r.document_id AND status = 'posted' AND kind = 'invoice'
                    AND (balance IS NULL OR balance > 0)
                OFFSET 0
            ) one
            WHERE r.tenant_id = a.tenant_id
"""
_OPEN_THEN = _OPEN_OF_THESE.replace("{these}", _OF_ALL)
_OPEN_THEN_OF_REACHED = _OPEN_OF_THESE.replace("{these}", _OF_REACHED)
_REBUILT = Family(
    "rebuilt",
    RebuiltClose,
    """
    SELECT tenant_id, count(*) FILTER (WHERE (due_date < today) IS NOT TRUE) AS pending,
           count(*) FILTER (WHERE due_date < today) AS overdue
    FROM open
    GROUP BY tenant_id
""",
)


def _wanting(sql: str, wanted: str = "wanted") -> str:
    return sql.replace(f"{wanted} AS MATERIALIZED (", f"{wanted} AS MATERIALIZED ( {_TOUCHED} UNION", 1)


OPEN_THEN = (
    _TOUCHED_TODAY, f"wanted AS MATERIALIZED ({_TOUCHED})", LINKS_OF_WANTED, FOLLOWED, _SETTLED, _OPEN_THEN,
)  # fmt: skip
# Of a tenant that does not tell its balances all that may have been open has to be looked for.
FOLLOWED_OPEN_THEN = (
    _TOUCHED_TODAY, _wanting(DOUBTFUL), LINKS_OF_WANTED, FOLLOWED, _ALL_SETTLED, _OPEN_THEN,
)  # fmt: skip
UNSETTLED_OPEN_THEN = (
    _TOUCHED_TODAY, _wanting(DOUBTFUL_OF_UNSETTLED, "wanted_first"), LINKS_OF_WANTED, FOLLOWED, _ALL_SETTLED,
    _OPEN_THEN_OF_REACHED,
)  # fmt: skip

REBUILT = statement(*OPEN_THEN, _REBUILT, payer=PAYER)
FOLLOWED_REBUILT = statement(*FOLLOWED_OPEN_THEN, _REBUILT, payer=PAYER)
UNSETTLED_REBUILT = statement(*UNSETTLED_OPEN_THEN, _REBUILT, payer=PAYER)


def rebuilt_closes(
    batch: Batch, *, links_followed: Callable[[str], bool], unsettled_known: Container[str] = ()
) -> dict[str, RebuiltClose]:
    """Yesterday's close of each of these tenants; one whose invoices were all paid or not there yet had none open."""
    found = {tenant_id: RebuiltClose() for tenant_id in batch.tenants}
    for query, part in (
        (REBUILT, batch.of(lambda tenant_id: not links_followed(tenant_id))),
        (FOLLOWED_REBUILT, batch.of(lambda tenant_id: links_followed(tenant_id) and tenant_id not in unsettled_known)),
        (UNSETTLED_REBUILT, batch.of(lambda tenant_id: links_followed(tenant_id) and tenant_id in unsettled_known)),
    ):
        if part.tenants:
            found |= {tenant_id: families["rebuilt"][0] for tenant_id, families in part.groups(query).items()}
    return found
