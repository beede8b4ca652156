"""Writes down which documents may not be settled, found by the same SQL as what is open and left over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from workers.database import driver_of
from workers.source.balances import UNSETTLED, WHOLE
from workers.source.batch import expanded
from workers.source.columns import Missing, with_nulls
from workers.source.links import PAYER
from workers.unsettled.known import CAPTURE, known_of

# No tenant's day is earlier than the day before that of UTC, and a load also asks about the end of the day before its own.
DAYS_BEHIND = timedelta(days=2)

# Whatever a base currency would decide is kept in any case.
_ASKED = """
    asked AS MATERIALIZED (
        SELECT CAST(:tenant_id AS text) AS tenant_id, CAST(:day AS date) AS today, 'XXX' AS base, 2 AS places
    )
"""

# Which documents are not settled for good? What is open; what has something left, or may have because a rate decides it,
# which may yet change; what is allocated though it does not count (yet), so that sums of links say too much; and what is
# dated later.
_UNSETTLED = """
    not_settled AS MATERIALIZED (
        SELECT tenant_id, invoice_id AS document_id FROM open
        UNION
        SELECT tenant_id, source_id FROM spare WHERE unknown OR left_over > 0
        UNION
        SELECT tenant_id, source_id FROM followed WHERE source_currency <> target_currency
        UNION
        SELECT tenant_id, source_id FROM doubtful_source WHERE NOT valid
        UNION
        SELECT a.tenant_id, p.payment_id::text
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.payment AS payment
            WHERE tenant_id = a.tenant_id AND status = 'succeeded' AND paid_on > a.today
            OFFSET 0
        ) p
        UNION
        SELECT a.tenant_id, n.invoice_id::text
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.invoice AS note
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND issue_date > a.today
            OFFSET 0
        ) n
        WHERE n.kind = 'credit_note'
    )
"""

# In one statement, hence in one state: a row that comes in meanwhile is of a change which that state has not seen, and stays.
_WRITE = """
    , gone AS (DELETE FROM dashboard.unsettled WHERE tenant_id = :tenant_id {which}),
    added AS (
        INSERT INTO dashboard.unsettled (tenant_id, document_id) SELECT tenant_id, document_id FROM not_settled
    )
    UPDATE dashboard.unsettled_book
    SET day = :day, documents = (SELECT count(*) FROM not_settled) {made}
    WHERE tenant_id = :tenant_id
"""


def _statement(parts: tuple[str, ...], *, which: str, made: str) -> str:
    body = ", ".join(part.strip().strip(",") for part in (_ASKED, *parts, _UNSETTLED))
    write = _WRITE.replace("{which}", which).replace("{made}", made)
    return expanded(("WITH " + body + write).replace("{payer}", PAYER))


# Of the whole books, or of what is known. The latter never takes away what stands for any document.
_OF_ALL = _statement(WHOLE, which="", made=", made_at = now(), capture = ({capture})".replace("{capture}", CAPTURE))
_OF_KNOWN = _statement(UNSETTLED, which="AND document_id IS NOT NULL", made="")

# Changes have to add their documents before the books are looked through: a change that is forgotten before this is
# committed is in the state that is looked through after it.
_BEGIN = text("""
    INSERT INTO dashboard.unsettled_book (tenant_id, begun_at) VALUES (:tenant_id, now()) ON CONFLICT (tenant_id) DO NOTHING
""")
_BEGIN_AGAIN = text("""
    UPDATE dashboard.unsettled_book SET begun_at = now() WHERE tenant_id IN (
        SELECT tenant_id FROM dashboard.unsettled_book WHERE tenant_id = :tenant_id FOR UPDATE SKIP LOCKED
    )
""")
_LOCK = text("SELECT FROM dashboard.unsettled_book WHERE tenant_id = :tenant_id FOR UPDATE SKIP LOCKED")
# Of books that nobody made for long; changes do not add to them any more.
_LEFT_BEHIND = text("""
    WITH old AS (
        DELETE FROM dashboard.unsettled_book WHERE tenant_id IN (
            SELECT tenant_id FROM dashboard.unsettled_book WHERE begun_at < now() - interval '3 days'
            ORDER BY tenant_id FOR UPDATE SKIP LOCKED
        )
        RETURNING tenant_id
    )
    DELETE FROM dashboard.unsettled WHERE tenant_id IN (SELECT tenant_id FROM old)
""")


def keep_unsettled(
    engine: Engine, tenant_id: str, missing: Missing, *, enough: int, now: datetime | None = None
) -> None:
    """Write down which of the tenant's documents may not be settled, unless another process does so just now. `now`: the
    moment that a load will stand for, when it is not the present."""
    day = (now or datetime.now(UTC)).astimezone(UTC).date() - DAYS_BEHIND
    asked = {"tenant_id": tenant_id, "day": day}
    with engine.begin() as connection:
        connection.execute(_LEFT_BEHIND)
        connection.execute(_BEGIN, asked)
        connection.execute(_BEGIN_AGAIN, asked)
    with engine.begin() as connection:
        if connection.execute(_LOCK, asked).first() is None:
            return
        driver = driver_of(connection.connection)
        known = known_of(driver, {tenant_id: day + timedelta(days=1)}, enough).known
        connection.execute(text(with_nulls(_OF_KNOWN if known else _OF_ALL, missing)), asked)
