"""SQL for the documents of what is open now: owed, left over, and expected in the coming thirty days."""

from __future__ import annotations

from typing import Literal

from workers.receipts.statement import ASKED, statement, with_columns
from workers.source.balances import TOLD, UNSETTLED, WHOLE
from workers.source.batch import expanded
from workers.source.books import READ_BOOKS
from workers.source.credits import UNSPENT
from workers.source.expenses import UNPAID
from workers.source.payments import CASH_SINCE
from workers.source.rebuilt import FOLLOWED_OPEN_THEN, OPEN_THEN, UNSETTLED_OPEN_THEN
from workers.source.receivables import PIECES
from workers.source.recurring import RECURRING

Links = Literal["told", "followed", "unsettled"]
"""Of a tenant that tells its balances; of one whose links are all followed, or only those of documents not settled."""

_OPEN: dict[Links, tuple[str, ...]] = {"told": (READ_BOOKS, *TOLD), "followed": WHOLE, "unsettled": UNSETTLED}
_OPEN_THEN: dict[Links, tuple[str, ...]] = {
    "told": OPEN_THEN,
    "followed": FOLLOWED_OPEN_THEN,
    "unsettled": UNSETTLED_OPEN_THEN,
}

_OWED = """
    SELECT 'invoice' AS kind, invoice_id AS id, reference, issue_date AS date, due_date, client_id::text AS client_id,
           NULL::text AS vendor, NULL::text AS category, amount, currency,
           CASE WHEN no_rate IS NULL THEN worth END AS base_amount
    FROM open
    WHERE {which}
"""
_LATE = "(due_date < today) IS TRUE"
_BUCKETS = {
    "current": f"NOT {_LATE}",
    "1-30": "today - due_date BETWEEN 1 AND 30",
    "31-60": "today - due_date BETWEEN 31 AND 60",
    "61-90": "today - due_date BETWEEN 61 AND 90",
    "90+": "today - due_date > 90",
}


def owed(*, links: Links, at_close: bool, late: bool | None = None, bucket: str | None = None) -> str:
    """Open invoices, now or as yesterday ended: all, those that are late or not, those of a bucket."""
    which = "true" if late is None else _LATE if late else f"NOT {_LATE}"
    if bucket is not None:
        which += f" AND {_BUCKETS[bucket]}"
    parts = (_OPEN_THEN if at_close else _OPEN)[links]
    return statement(*parts, documents=_OWED.replace("{which}", which))


_UNSPENT = with_columns(UNSPENT, "SELECT a.tenant_id,", "p.payment_id AS id, p.day")
_CREDIT = """
    SELECT u.kind, u.id, r.reference, u.day AS date, NULL::date AS due_date, u.client_id, NULL::text AS vendor,
           NULL::text AS category, u.sign * u.amount AS amount, u.currency, u.sign * u.base AS base_amount
    FROM ({unspent}) u
    CROSS JOIN LATERAL (
        SELECT reference::text AS reference FROM dashboard.payment AS payment
        WHERE u.kind <> 'credit_note' AND tenant_id = u.tenant_id AND payment_id = u.id AND kind = u.kind
        UNION ALL
        SELECT reference::text FROM dashboard.invoice AS note
        WHERE u.kind = 'credit_note' AND tenant_id = u.tenant_id AND invoice_id = u.id
        OFFSET 0
    ) r
"""


def customer_credit(*, links: Links) -> str:
    """What is left of the money and the credit notes of all clients."""
    return statement(*_OPEN[links], documents=_CREDIT.replace("{unspent}", _UNSPENT))


_INCOMING = """
    {pieces}
    SELECT 'invoice' AS kind, p.invoice_id AS id, o.reference, p.day AS date, o.due_date, o.client_id::text AS client_id,
           NULL::text AS vendor, NULL::text AS category,
           CASE WHEN p.no_rate IS NOT NULL THEN p.amount
                WHEN o.worth = 0 THEN 0
                ELSE round(round(p.amount * o.amount, 40) / o.worth, {minor o.currency}) END AS amount,
           o.currency, CASE WHEN p.no_rate IS NULL THEN p.amount END AS base_amount
    FROM piece p
    FULL JOIN open o ON o.tenant_id = p.tenant_id AND o.invoice_id = p.invoice_id
    WHERE {both p.tenant_id o.tenant_id} AND CASE WHEN p.day BETWEEN p.today AND p.today + 29 THEN true ELSE false END
""".replace("{pieces}", PIECES)
_TO_PAY = with_columns(
    UNPAID,
    "SELECT a.tenant_id,",
    """e.expense_id::text AS id, e.reference::text AS reference, e.due_date, e.category::text AS category,
       coalesce(e.currency::text, 'XXX') AS currency, round(coalesce(e.total, 'NaN'), {minor e.currency}) AS own""",
)
_OUTGOING = """
    SELECT 'expense' AS kind, id, reference, CASE WHEN NOT credit THEN day END AS date, due_date, NULL::text AS client_id,
           vendor::text AS vendor, category, -own AS amount, currency,
           CASE WHEN no_rate IS NULL THEN -amount END AS base_amount
    FROM unpaid
    WHERE CASE WHEN credit THEN vendor IS NOT NULL ELSE day <= last END
"""
_CARRIED = """
    SELECT 'cash_flow' AS kind, NULL::text AS id, NULL::text AS reference, today AS date, NULL::date AS due_date,
           NULL::text AS client_id, NULL::text AS vendor, NULL::text AS category, amount, coalesce(no_rate, base) AS currency,
           CASE WHEN no_rate IS NULL THEN amount END AS base_amount, documents
    FROM ({cash_since}) AS since JOIN asked USING (tenant_id)
""".replace("{cash_since}", CASH_SINCE.rows)


def incoming(*, links: Links) -> str:
    """What is expected of open invoices in the coming thirty days, by the day on which it is."""
    return statement(*_OPEN[links], documents=_INCOMING)


def outgoing() -> str:
    """What is to be paid in the coming thirty days; vendor credits, of no day, with a plus."""
    return statement(_TO_PAY, documents=_OUTGOING)


def carried() -> str:
    """What moved since the host counted its accounts."""
    return statement(documents=_CARRIED, also="documents.documents,")


TEMPLATES = expanded(
    ASKED + with_columns(RECURRING.rows, "SELECT a.tenant_id,", "r.recurring_id::text AS recurring_id").strip()
)
"""The templates that make a document soon, with the fields of a Recurring."""
