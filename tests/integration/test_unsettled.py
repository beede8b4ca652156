"""Which documents are not settled is known whatever is changed in whatever order, and settled ones are not looked at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from sqlalchemy import Engine, text

from tests.calculations import served
from tests.integration.test_batch_equals_recount import businesses, invoices, money, moments, payments, write
from tests.rows import Rows, add_tenant
from workers.audit.recount import differences, expected
from workers.kpi.dashboard import dashboard
from workers.source import Source

Db = psycopg.Connection[Any]

NOW = datetime(2026, 3, 11, 18, tzinfo=UTC)
TODAY = NOW.date()
TENANT = "t0"

# What may happen to the rows of any table: (table, its key, column, values).
_DAYS = st.integers(-6, 4)
COLUMNS: dict[tuple[str, str, str], st.SearchStrategy[Any]] = {
    ("invoice", "invoice_id", "status"): st.sampled_from(["posted", "posted", "draft", "void"]),
    ("invoice", "invoice_id", "total"): money,
    ("invoice", "invoice_id", "balance"): st.none() | money,
    ("invoice", "invoice_id", "currency"): st.sampled_from(["EUR", "JPY", "USD"]),
    ("invoice", "invoice_id", "issue_date"): _DAYS,
    ("invoice", "invoice_id", "written_off_on"): st.none() | _DAYS,
    ("payment", "payment_id", "status"): st.sampled_from(["succeeded", "succeeded", "failed", "pending"]),
    ("payment", "payment_id", "amount"): money,
    ("payment", "payment_id", "unapplied"): st.none() | money,
    ("payment", "payment_id", "currency"): st.sampled_from(["EUR", "JPY", "USD"]),
    ("payment", "payment_id", "paid_on"): _DAYS,
    ("payment", "payment_id", "kind"): st.sampled_from(["payment", "refund"]),
    ("allocation", "allocation_id", "amount"): money,
    ("allocation", "allocation_id", "invoice_id"): st.sampled_from(["i0", "i1", "i2", "missing"]),
    ("fx_rate", "rate_date", "rate"): st.sampled_from(["0.5", "1.25", "3"]),
}
updates = st.one_of(
    *(
        st.tuples(st.just("update"), st.just(which), st.integers(0, 20), values)
        for which, values in COLUMNS.items()
    )
)
deletes = st.tuples(
    st.just("delete"),
    st.sampled_from([("invoice", "invoice_id"), ("payment", "payment_id"), ("allocation", "allocation_id")]),
    st.integers(0, 20),
)
# Each invoice once more as if its last change had brought it to its end, so that much is settled.
steps = st.one_of(
    updates,
    updates,
    deletes,
    st.tuples(st.just("invoice"), invoices),
    st.tuples(st.just("payment"), payments),
    st.tuples(st.just("payment"), payments),
    st.tuples(st.just("pay"), st.integers(0, 20), _DAYS),
    st.tuples(st.just("pay"), st.integers(0, 20), _DAYS),
    st.tuples(st.just("later"), st.integers(1, 4)),
    st.tuples(st.just("truncate"), st.sampled_from(["allocation", "payment"])),
    st.tuples(st.just("forget")),
)


class Books:
    """One tenant's rows while they are changed, and the day on which they are looked at."""

    def __init__(self, db: Db, engine: Engine, now: datetime, currency: str) -> None:
        self.db = db
        self.engine = engine
        self.now = now
        self.source = Source(engine, enough_allocations=0)
        self.rows = Rows(db, TENANT, currency, {"payment": 100, "allocation": 100})
        self.made = 100

    def take(self, step: tuple[Any, ...]) -> None:
        """Carry one step out."""
        getattr(self, step[0])(*step[1:])

    def update(self, which: tuple[str, str, str], nth: int, value: Any) -> None:
        table, key, column = which
        self._write(
            "UPDATE {table} SET {column} = %(value)s WHERE {key} = (SELECT {key} FROM {table} ORDER BY {key}"
            " OFFSET %(nth)s %% greatest(1, (SELECT count(*) FROM {table})) LIMIT 1)",
            {"value": self._dated(column, value), "nth": nth},
            table=sql.Identifier("dashboard", table),
            key=sql.Identifier(key),
            column=sql.Identifier(column),
        )

    def delete(self, which: tuple[str, str], nth: int) -> None:
        table, key = which
        self._write(
            "DELETE FROM {table} WHERE {key} = (SELECT {key} FROM {table} ORDER BY {key}"
            " OFFSET %(nth)s %% greatest(1, (SELECT count(*) FROM {table})) LIMIT 1)",
            {"nth": nth},
            table=sql.Identifier("dashboard", table),
            key=sql.Identifier(key),
        )

    def invoice(self, row: dict[str, Any]) -> None:
        columns = self._row(row) | {"invoice_id": f"i{self._next()}"}
        kind, on = columns.pop("kind"), columns.pop("on")
        if kind == "credit_note":
            self.rows.credit_note(**columns, on=on)
        else:
            self.rows.invoice(**columns)

    def payment(self, row: dict[str, Any]) -> None:
        self.rows.payment(**self._row(row))

    def pay(self, nth: int, days: int) -> None:
        """Pay one of the invoices to the last coin, so that there is something settled."""
        found = self.db.execute(
            "SELECT invoice_id, total, currency FROM dashboard.invoice WHERE kind = 'invoice' ORDER BY invoice_id"
        ).fetchall()
        if found:
            invoice_id, total, currency = found[nth % len(found)]
            day = self._dated("paid_on", days)
            self.rows.payment(day, total, on={invoice_id: total}, currency=currency)

    def later(self, days: int) -> None:
        self.now += timedelta(days=days)

    def truncate(self, table: str) -> None:
        self.db.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier("dashboard", table)))

    def forget(self) -> None:
        """As a version of Daybook that knows nothing of documents forgets changes."""
        self.source.mend([TENANT], now=self.now)
        self.source.make_totals_anew(1)
        self.db.execute("DELETE FROM dashboard.change")

    def _write(self, statement: Any, values: dict[str, Any], **names: sql.Composable) -> None:
        self.db.execute(sql.SQL(statement).format(**names), values)

    def _next(self) -> int:
        self.made += 1
        return self.made

    def _dated(self, column: str, value: Any) -> Any:
        return self.now.date() + timedelta(days=value) if type(value) is int and "_o" in column or column == "issue_date" else value

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        return {
            column: self.now.date() + timedelta(days=value) if type(value) is int else value
            for column, value in row.items()
            if column != "currency" or value is not None
        }

    def look(self, *, settle: bool) -> None:
        """A recalculation: it agrees with the recount, and with one that looks through all documents."""
        self.source.mend([TENANT], now=self.now)
        self.source.make_totals_anew(1)
        loaded = self.source.load([TENANT], now=self.now)
        facts = loaded.facts[TENANT]
        board = dashboard(facts, computed_at=self.now)
        wanted = expected(self.engine, TENANT, now=self.now)
        assert differences(wanted, served(board.snapshot), served(board.overview)) == []
        if settle:
            self.source.keep_closes({}, loaded.state, loaded.pending)
            self.source.keep_unsettled(loaded.unsettled_due, now=self.now)


@settings(
    max_examples=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    now=moments,
    business=businesses,
    changes=st.lists(st.tuples(steps, st.sampled_from(["look", "settle", "settle", "compact", "nothing"])), max_size=12),
)
def test_whatever_changes_in_whatever_order_balances_are_those_of_the_recount(
    db: Db, engine: Engine, now: datetime, business: Any, changes: list[Any]
) -> None:
    write(db, now, {TENANT: business}, {})
    for table in ("change", "unsettled", "unsettled_book", "day_total", "day_book"):
        db.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("dashboard", table)))
    books = Books(db, engine, now, business.tenant["base_currency"])
    books.look(settle=True)
    for step, then in changes:
        books.take(step)
        if then != "nothing":
            books.look(settle=then != "look")
        if then == "compact":
            books.source.keep_unsettled([TENANT], now=books.now)
    books.look(settle=True)
