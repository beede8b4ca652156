"""Puts the demo tenants into the database, in one transaction; loading them again replaces them."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection, sql
from sqlalchemy import Connection as SqlalchemyConnection
from sqlalchemy import Engine

from demo.businesses import GENERATED
from demo.generated import generated_books
from demo.quickbooks import TIMEZONE as QUICKBOOKS_ZONE
from demo.quickbooks import quickbooks_books
from demo.rates import daily_rates
from demo.rows import TABLES, Books, FxRate, Row
from demo.xero import TIMEZONE as XERO_ZONE
from demo.xero import xero_books

Progress = Callable[[str, int, int], None]

# As long as the longest made-up history, and the week before it.
RATE_DAYS = 435


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTenant:
    """One tenant as it was loaded. `oddities`: what a real extract left open and how often; see demo/quickbooks.py."""

    tenant_id: str
    name: str
    documents: int
    oddities: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSummary:
    """What was loaded: tenants, rows by table, and how long it took."""

    tenants: tuple[LoadedTenant, ...]
    rows: Mapping[str, int]
    duration_s: float


def demo_books(today: date | None = None) -> list[Books]:
    """The rows of every demo tenant, the newest business day being `today`, else today in each tenant's own zone."""
    now = datetime.now(UTC)

    def day(zone: str) -> date:
        return today or now.astimezone(ZoneInfo(zone)).date()

    made_up = [generated_books(business, day(business.timezone)) for business in GENERATED]
    return [*made_up, xero_books(day(XERO_ZONE)), quickbooks_books(day(QUICKBOOKS_ZONE))]


def shared_rates(today: date | None = None, days: int = RATE_DAYS) -> list[FxRate]:
    """The rates that serve every tenant, of that many days up to tomorrow: in Tonga it is tomorrow already."""
    last = (today or datetime.now(UTC).date()) + timedelta(1)
    pairs = {(currency, business.currency) for business in GENERATED for currency in business.quoted}
    return list(daily_rates(sorted(pairs), last - timedelta(days), last))


def load_demo(engine: Engine, *, today: date | None = None, progress: Progress | None = None) -> DemoSummary:
    """Replace the demo tenants' rows; other tenants' rows, and rates that exist already, are left alone.

    `progress` is told the table at hand, the rows done so far and the rows in all.
    """
    started = time.monotonic()
    books = demo_books(today)
    rates = shared_rates(today)
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for one in books:
        for row in one.rows():
            rows[row.table].append(row)
    with engine.begin() as connection:
        raw = raw_connection(connection)
        _delete(raw, [one.tenant.tenant_id for one in books])
        done, total = 0, sum(map(len, rows.values())) + len(rates)
        for table in TABLES:
            if progress:
                progress(table.table, done, total)
            copy_rows(raw, table, rows[table.table])
            done += len(rows[table.table])
        add_rates(raw, rates)
        if progress:
            progress(FxRate.table, total, total)
    return DemoSummary(
        tenants=tuple(
            LoadedTenant(
                tenant_id=one.tenant.tenant_id,
                name=one.tenant.name,
                documents=one.documents,
                oddities={what: times for what, times in one.oddities.items() if times},
            )
            for one in books
        ),
        rows=Counter({name: len(found) for name, found in rows.items()}) + Counter({FxRate.table: len(rates)}),
        duration_s=time.monotonic() - started,
    )


def raw_connection(connection: SqlalchemyConnection) -> Connection[Any]:
    """The psycopg connection beneath, inside the same transaction: COPY is psycopg's own."""
    raw: Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    return raw


def _delete(connection: Connection[Any], tenant_ids: list[str]) -> None:
    # What Daybook kept of the rows that go, their daily closes, says nothing about those that come.
    for name in (*(table.table for table in TABLES), "daily_close"):
        statement = sql.SQL("DELETE FROM dashboard.{} WHERE tenant_id = ANY(%s)").format(sql.Identifier(name))
        connection.execute(statement, [tenant_ids])


def copy_rows(connection: Connection[Any], table: type[Row], rows: Iterable[Row], into: str | None = None) -> None:
    """COPY rows of one table, or into another table of the same columns."""
    columns = [field.name for field in fields(table)]
    target = sql.Identifier(into) if into else sql.Identifier("dashboard", table.table)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(target, sql.SQL(", ").join(map(sql.Identifier, columns)))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([getattr(row, name) for name in columns])


def add_rates(connection: Connection[Any], rates: Iterable[FxRate]) -> None:
    """Add rates for everybody; where somebody has told one already, that one stays."""
    connection.execute("CREATE TEMPORARY TABLE demo_rate (LIKE dashboard.fx_rate) ON COMMIT DROP")
    copy_rows(connection, FxRate, rates, into="demo_rate")
    connection.execute("INSERT INTO dashboard.fx_rate SELECT * FROM demo_rate ON CONFLICT DO NOTHING")
