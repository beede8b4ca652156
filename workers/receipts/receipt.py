"""Makes a receipt: reads the documents, makes sure that they belong to a version, and keeps them under it.

A version stands for the database as it was when all changes noted until then were computed. A state in which no change of the
tenant is pending therefore is the one that the newest version shows, if that was the newest before and after it was read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from msgspec import UNSET, structs
from sqlalchemy import Connection, text

from shared.receipts import Before, Head, Made, Question, ReceiptStore
from shared.snapshot import instant
from shared.store import SnapshotReader
from workers.database import driver_of
from workers.facts import Clock, Tenant
from workers.kpi.days import Period
from workers.kpi.money import exact
from workers.receipts.balances import Links
from workers.receipts.changes import Listed, changes, moves
from workers.receipts.document import as_csv, left_out
from workers.receipts.reading import Reading
from workers.receipts.shown import agrees, beside, beside_before
from workers.source import Source
from workers.source.books import READ_BOOKS, Books
from workers.source.clock import clock
from workers.source.columns import with_nulls
from workers.unsettled.known import known_of

log = structlog.get_logger()

# A tenant that is written to all the time is computed again so often until its documents and its version agree.
TRIES = 8

_BOOKS = """
    WITH asked AS (SELECT CAST(:tenant_id AS text) AS tenant_id, CAST(:today AS date) AS today), {books}
    SELECT links_known, links_followed, has_documents FROM books
""".replace("{books}", READ_BOOKS)
_PENDING = text("SELECT EXISTS (SELECT FROM dashboard.change WHERE tenant_id IN (:tenant_id, '*'))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The documents of the time before, the days that they are of, and what made the difference since."""

    days: Period
    before: Listed
    changes: Listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The documents behind a number in one state of the database, and what they are compared with, if that was asked.

    is_settled: no change of the tenant is pending in it.
    """

    tenant: Tenant
    clock: Clock
    is_settled: bool
    now: Listed
    compared: Compared | None = None

    @property
    def listed(self) -> Listed:
        """What the receipt lists."""
        return self.now if self.compared is None else self.compared.changes


def find_documents(source: Source, tenant_id: str, question: Question, *, now: datetime | None = None) -> Found | None:
    """What is behind the number; None of a tenant that does not exist. `now`: as of Source.load."""
    with source.one_tenant(tenant_id, now=now) as (connection, begun, missing):
        if not begun.tenants:
            return None
        tenant = begun.tenants[tenant_id]
        local = clock(begun.moment, ZoneInfo(tenant.timezone))
        is_settled = not connection.execute(_PENDING, {"tenant_id": tenant_id}).scalar_one()
        asked = {"tenant_id": tenant_id, "today": local.today}
        said = connection.execute(text(with_nulls(_BOOKS, missing)), asked).one()
        books = Books(**said._mapping)
        reading = Reading(
            connection=connection,
            missing=missing,
            tenant=tenant,
            clock=local,
            books=books,
            links=_links(connection, tenant_id, books, local),
            question=question,
        )
        with exact():
            listed = reading.listed()
            compared = _compared(listed, replace(reading, before=True)) if question.changes else None
    return Found(tenant=tenant, clock=local, is_settled=is_settled, now=listed, compared=compared)


def _links(connection: Connection, tenant_id: str, books: Books, local: Clock) -> Links:
    if not books.links_followed:
        return "told"
    return "unsettled" if known_of(driver_of(connection.connection), {tenant_id: local.today}).known else "followed"


def _compared(now: Listed, reading: Reading) -> Compared:
    before = reading.listed()
    return Compared(days=reading.days, before=before, changes=changes(now, before))


def make_receipt(
    tenant_id: str,
    question: Question,
    *,
    source: Source,
    reader: SnapshotReader,
    store: ReceiptStore,
    recompute: Callable[[str], str],
) -> Made:
    """Make and keep the receipt; says under which version. Raises SourceUnavailable or StoreUnavailable.

    recompute: computes a tenant now, and says how that ended (the status of an Outcome).
    """
    for _ in range(TRIES):
        before = reader.read(tenant_id)
        snapshot: dict[str, Any] = json.loads(before.snapshot or b"{}", parse_float=Decimal)
        found = find_documents(source, tenant_id, question)
        if found is None:
            return Made(status="unknown")
        is_shown = (
            found.is_settled
            and before.failing is None
            and snapshot.get("local_date") == found.clock.today.isoformat()
            and agrees(question, found.now, None if found.compared is None else found.compared.before, snapshot)
        )
        if is_shown and before.version == reader.versions([tenant_id])[0]:
            head = _head(question, found, str(before.version), snapshot)
            documents = found.listed.documents
            csv = as_csv(documents, with_changes=question.changes) if question.csv else None
            store.keep(tenant_id, question, head, [one.item for one in documents], csv)
            return Made(status="made", version=head.version)
        ended = recompute(tenant_id)
        if ended in ("failed", "unknown"):
            return Made(status=ended)  # type: ignore[arg-type]
    log.warning("receipt_not_made", tenant_id=tenant_id, number=question.number, tries=TRIES)
    return Made(status="failed")


def _head(question: Question, found: Found, version: str, snapshot: Mapping[str, Any]) -> Head:
    value = beside(question, snapshot)
    head = Head(
        number=question.number,
        version=version,
        as_of=instant(found.clock.as_of),
        currency=found.tenant.base_currency,
        total=found.listed.total,
        value=value,
        count=len(found.listed.documents),
        unconverted=left_out(found.listed.documents),
    )
    if found.compared is None:
        return head
    days, then = found.compared.days, found.compared.before
    was = beside_before(question, snapshot, len(then.documents))
    if value is not UNSET and was is not UNSET:
        value = None if value is None or was is None else value - was
    before = Before(first=days.first, last=days.last, total=then.total, count=len(then.documents), value=was)
    with exact():
        return structs.replace(head, value=value, moved=moves(found.listed.documents), before=before)
