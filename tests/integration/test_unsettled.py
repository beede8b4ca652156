"""Which documents are not settled is known whatever is changed in whatever order, and settled ones are not looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from psycopg import sql
from sqlalchemy import Engine

from shared.receipts import Question
from tests.calculations import served
from tests.rows import add_tenant
from workers.audit.recount import differences, expected
from workers.capture.changes import expand_everyone
from workers.database import autocommit, driver_of
from workers.kpi.dashboard import dashboard
from workers.receipts.receipt import find_documents
from workers.source import Source
from workers.unsettled.known import Unsettled, doubt_settled, known_of

Db = psycopg.Connection[Any]

NOW = datetime(2026, 3, 11, 18, tzinfo=UTC)
TENANT = "t1"
OWN = ("change", "unsettled", "unsettled_book", "day_total", "day_book", "daily_close")
TABLES = ("tenant", "invoice", "payment", "allocation", "fx_rate")

# Few ids and few amounts, so that documents meet and nothing is left of many of them.
INVOICE_IDS = ("i1", "i1", "i2", "i2", "i3", "i4", "missing")
amounts = st.sampled_from([100, 100, 50, 50, 50, 30, 20, 0])
days = st.sampled_from([0, -1, -1, -2, -3, -3, -5, -70, -71, 1, 2, 4])
currencies = st.sampled_from(["USD"] * 8 + ["EUR", "GBP"])
told = st.one_of(st.none(), st.none(), st.none(), st.none(), st.none(), amounts)
links = st.dictionaries(st.sampled_from(INVOICE_IDS), amounts, min_size=1, max_size=2)
INVOICE = {
    "kind": st.sampled_from(["invoice", "invoice", "invoice", "credit_note"]),
    "status": st.sampled_from(["posted"] * 6 + ["draft", "void"]),
    "issue_date": days,
    "total": amounts,
    "balance": told,
    "currency": currencies,
    "written_off_on": st.one_of(*[st.none()] * 6, days),
}
PAYMENT = {
    "kind": st.sampled_from(["payment", "payment", "refund"]),
    "status": st.sampled_from(["succeeded"] * 6 + ["pending", "failed"]),
    "paid_on": days,
    "amount": amounts,
    "unapplied": told,
    "currency": currencies,
}
ALLOCATION = {
    "amount": amounts,
    "invoice_id": st.sampled_from(INVOICE_IDS),
    "source_id": st.sampled_from([*INVOICE_IDS, "p1", "p2", "p3"]),
}
COLUMNS = {"invoice": INVOICE, "payment": PAYMENT, "allocation": ALLOCATION}
nth = st.integers(0, 30)
steps = st.one_of(
    st.tuples(st.just("add"), st.just("invoice"), st.fixed_dictionaries(INVOICE), links),
    st.tuples(st.just("add"), st.just("payment"), st.fixed_dictionaries(PAYMENT), links),
    st.tuples(st.just("add"), st.just("payment"), st.fixed_dictionaries(PAYMENT), links),
    *(
        st.tuples(st.just("update"), st.just(table), nth, st.just(column), values)
        for table, columns in COLUMNS.items()
        for column, values in columns.items()
    ),
    st.tuples(st.just("delete"), st.sampled_from(list(COLUMNS)), nth),
    st.tuples(st.just("rate"), st.sampled_from(["EUR", "GBP"]), days, st.sampled_from(["0.5", "1.25", "2"])),
    st.tuples(st.just("later"), st.sampled_from([1, 1, 2, 60])),
)  # fmt: skip
# What is noted of a change without naming documents, and who forgets it.
disturbances = st.sampled_from(["truncate", "no names", "older version", "everyone's"])
looks = st.sampled_from(["keep", "keep", "keep", "settle", "look", "nothing"])


class Books:
    """A tenant's rows while they are changed, and the moment at which they are looked at."""

    def __init__(self, db: Db, engine: Engine) -> None:
        self.db = db
        self.engine = engine
        self.now = NOW
        self.source = Source(engine, enough_allocations=0)
        self.rows = add_tenant(db, TENANT, basis="cash")
        self.made = {"invoice": 0, "payment": 0}

    def add(self, table: str, columns: dict[str, Any], on: dict[str, int]) -> None:
        row = {name: self._value(name, value) for name, value in columns.items()}
        self.made[table] += 1
        row[f"{table}_id"] = f"{table[0]}{self.made[table]}"
        if table == "payment":
            self.rows.payment(**row, on=on)
        elif row.pop("kind") == "credit_note":
            self.rows.credit_note(**row, on=on)
        else:
            self.rows.invoice(**row)

    def update(self, table: str, which: int, column: str, value: Any) -> None:
        self._write("UPDATE {table} SET {column} = %(value)s", table, which, column, self._value(column, value))

    def delete(self, table: str, which: int) -> None:
        self._write("DELETE FROM {table}", table, which)

    def rate(self, currency: str, day: int, rate: str) -> None:
        self.db.execute(
            "INSERT INTO dashboard.fx_rate (tenant_id, currency, base_currency, rate_date, rate)"
            " VALUES (%s, %s, 'USD', %s, %s)"
            " ON CONFLICT (tenant_id, currency, base_currency, rate_date) DO UPDATE SET rate = excluded.rate",
            [TENANT, currency, self._value("paid_on", day), rate],
        )

    def later(self, by: int) -> None:
        self.now += timedelta(days=by)

    def disturb(self, how: str) -> None:
        if how == "truncate":
            self.db.execute("TRUNCATE dashboard.allocation")
        elif how == "no names":
            self.db.execute("INSERT INTO dashboard.change (tenant_id) VALUES (%s)", [TENANT])
        elif how == "older version":
            self.source.mend([TENANT], now=self.now)
            self.db.execute("DELETE FROM dashboard.change")
        else:
            self.db.execute("UPDATE dashboard.change SET tenant_id = '*'")
            expand_everyone(self.db)

    def look(self, then: str) -> None:
        """A recalculation; it agrees with the recount, and with receipts. `then`: what is written after it."""
        self.source.mend([TENANT], now=self.now)
        self.source.make_totals_anew(1)
        loaded = self.source.load([TENANT], now=self.now)
        facts = loaded.facts[TENANT]
        board = dashboard(facts, computed_at=self.now)
        wanted = expected(self.engine, TENANT, now=self.now)
        assert differences(wanted, served(board.snapshot), served(board.overview)) == []
        receivables = board.overview.receivables
        for number, shown in (
            ("outstanding", receivables.outstanding),
            ("customer-credit", receivables.customer_credit),
        ):
            found = find_documents(self.source, TENANT, Question(number=number), now=self.now)
            assert found
            assert found.now.total == shown
        if then != "look":
            self.source.keep_closes({}, loaded.state, loaded.pending)
        if then == "keep":
            self.source.keep_unsettled([TENANT], now=self.now)

    def _write(self, statement: str, table: str, which: int, column: str = "", value: Any = None) -> None:
        ids = [one for (one,) in self.db.execute(f"SELECT {table}_id FROM dashboard.{table} ORDER BY 1").fetchall()]
        if ids:
            names = {"table": ("dashboard", table), "column": (column or "tenant_id",), "key": (f"{table}_id",)}
            self.db.execute(
                sql.SQL(statement + " WHERE {key} = %(id)s").format(
                    **{name: sql.Identifier(*parts) for name, parts in names.items()}
                ),
                {"value": value, "id": ids[which % len(ids)]},
            )

    def _value(self, column: str, value: Any) -> Any:
        is_day = column in ("issue_date", "paid_on", "written_off_on") and value is not None
        return self.now.date() + timedelta(days=value) if is_day else value


def is_known(engine: Engine, now: datetime) -> bool:
    """Whether a load of that moment would look at unsettled documents alone."""
    with autocommit(engine) as connection:
        return TENANT in known_of(connection, {TENANT: now.date()}, 0).known


@settings(
    max_examples=20,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    story=st.lists(st.tuples(steps, looks), min_size=5, max_size=30),
    disturbed=st.dictionaries(nth, disturbances, max_size=2),
)
def test_whatever_changes_in_whatever_order_balances_are_those_of_the_recount(
    db: Db, engine: Engine, story: list[tuple[tuple[Any, ...], str]], disturbed: dict[int, str]
) -> None:
    for table in (*TABLES, *OWN):
        db.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("dashboard", table)))
    books = Books(db, engine)
    for number, ((name, *values), then) in enumerate(story):
        getattr(books, name)(*values)
        if number in disturbed:
            books.disturb(disturbed[number])
        if then != "nothing":
            event(f"settled documents are known: {is_known(engine, books.now)}")
            books.look(then)
            # As if time had passed: what named no documents may be written down again.
            db.execute("UPDATE dashboard.unsettled_book SET made_at = made_at - interval '20 seconds'")
    books.look("keep")


# What is noted of a change


def named(db: Db) -> list[list[str] | None]:
    """The documents that each pending change names, and forgets the changes."""
    rows = db.execute(
        "WITH gone AS (DELETE FROM dashboard.change RETURNING id, named_documents) SELECT * FROM gone ORDER BY id"
    )
    return [documents and sorted(documents) for _, documents in rows.fetchall()]


def test_a_change_names_every_document_whose_balance_or_links_it_may_move(db: Db) -> None:
    rows = add_tenant(db, TENANT)
    rows.client("c1")
    rows.expense(NOW.date(), 10)
    rows.rate("EUR", NOW.date(), 2)
    assert named(db) == [[], [], [], []]
    rows.invoice(NOW.date(), 100, invoice_id="i1")
    rows.payment(NOW.date(), 60, payment_id="p1", on={"i1": 60})
    assert named(db) == [["i1"], ["p1"], ["i1", "p1"]]
    db.execute("UPDATE dashboard.allocation SET invoice_id = 'i2'")
    db.execute("UPDATE dashboard.payment SET payment_id = 'p2'")
    db.execute("UPDATE dashboard.payment SET amount = amount")
    db.execute("DELETE FROM dashboard.invoice")
    assert named(db) == [["i1", "i2", "p1"], ["p1", "p2"], ["i1"]]
    db.execute("TRUNCATE dashboard.payment")
    db.execute("INSERT INTO dashboard.change (tenant_id) VALUES ('t1')")
    assert named(db) == [None, None]
    db.execute(
        "INSERT INTO dashboard.invoice (tenant_id, invoice_id, status, issue_date, currency, total)"
        " SELECT 't1', n, 'posted', current_date, 'USD', 1 FROM generate_series(1, 501) AS n"
    )
    assert named(db) == [None]


# What is known, and since when


def kept(db: Db, engine: Engine) -> tuple[Books, Source]:
    """A tenant with an open and a paid invoice, whose documents are written down."""
    books = Books(db, engine)
    books.rows.invoice(NOW.date(), 100, invoice_id="open")
    books.rows.invoice(NOW.date(), 100, invoice_id="paid")
    books.rows.payment(NOW.date() - timedelta(days=9), 100, payment_id="all", on={"paid": 100})
    books.look("keep")
    assert is_known(engine, NOW)
    assert unsettled(db) == {"open"}
    return books, books.source


def unsettled(db: Db) -> set[str | None]:
    return {document for (document,) in db.execute("SELECT document_id FROM dashboard.unsettled").fetchall()}


def owed(source: Source) -> int:
    (facts,) = source.load([TENANT], now=NOW).facts.values()
    return int(sum(group.amount for group in facts.open_invoices))


def test_what_is_committed_while_the_books_are_looked_through_is_not_forgotten(
    db: Db, engine: Engine, database_url: str
) -> None:
    books, source = kept(db, engine)
    with psycopg.connect(database_url) as writer:
        writer.execute("UPDATE dashboard.payment SET amount = 40")
        writer.execute("UPDATE dashboard.allocation SET amount = 40")
        source.keep_unsettled([TENANT], now=NOW)
        db.execute("DELETE FROM dashboard.unsettled_book")
        source.keep_unsettled([TENANT], now=NOW)
        assert owed(source) == 100
    assert owed(source) == 160
    books.look("settle")
    assert is_known(engine, NOW)
    assert unsettled(db) == {"open", "paid", "all"}
    source.keep_unsettled([TENANT], now=NOW)
    assert unsettled(db) == {"open", "paid"}
    assert owed(source) == 160


def test_whoever_writes_down_what_another_process_just_does_leaves_it_alone(
    db: Db, engine: Engine, database_url: str
) -> None:
    _, source = kept(db, engine)
    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM dashboard.unsettled_book WHERE tenant_id = 't1' FOR UPDATE")
        source.keep_unsettled([TENANT], now=NOW)
    assert unsettled(db) == {"open"}


def test_a_process_that_ends_before_it_has_looked_leaves_nothing_to_rely_on(db: Db, engine: Engine) -> None:
    books, _ = kept(db, engine)
    db.execute("DELETE FROM dashboard.unsettled")
    db.execute("UPDATE dashboard.unsettled_book SET made_at = NULL")
    assert not is_known(engine, NOW)
    books.look("keep")
    assert is_known(engine, NOW)


def test_nothing_is_relied_on_where_changes_may_go_unseen(db: Db, engine: Engine) -> None:
    kept(db, engine)
    db.execute("ALTER TABLE dashboard.payment DISABLE TRIGGER dashboard_update_noted")
    assert not is_known(engine, NOW)
    db.execute("ALTER TABLE dashboard.payment ENABLE TRIGGER dashboard_update_noted")
    assert is_known(engine, NOW)
    assert not is_known(engine, NOW - timedelta(days=2))  # what was dated later then is not known
    db.execute("UPDATE dashboard.unsettled_book SET made_at = made_at - interval '1 day'")
    assert not is_known(engine, NOW)
    db.execute("ALTER TABLE dashboard.payment RENAME TO hosts_own")
    db.execute("CREATE VIEW dashboard.payment AS SELECT * FROM dashboard.hosts_own")
    assert not is_known(engine, NOW)
    source = Source(engine, enough_allocations=0)
    assert source.load([TENANT], now=NOW).unsettled_due == ()


def test_nothing_is_relied_on_where_rows_come_by_replication(db: Db, engine: Engine) -> None:
    kept(db, engine)
    with engine.connect() as connection, connection.begin() as never_committed:
        connection.exec_driver_sql(
            "CREATE SUBSCRIPTION from_afar CONNECTION 'host=nowhere.invalid' PUBLICATION all_rows WITH (connect = false)"
        )
        connection.exec_driver_sql(
            "INSERT INTO pg_subscription_rel SELECT oid, 'dashboard.payment'::regclass, 'r' FROM pg_subscription"
            " WHERE subname = 'from_afar'"
        )
        assert known_of(driver_of(connection.connection), {TENANT: NOW.date()}, 0) == Unsettled()
        never_committed.rollback()
    assert is_known(engine, NOW)


def test_writing_down_what_failed_is_not_tried_again_at_each_computation(db: Db, engine: Engine) -> None:
    _, source = kept(db, engine)
    db.execute("UPDATE dashboard.unsettled_book SET made_at = NULL")
    db.execute("ALTER TABLE dashboard.unsettled_book ADD CONSTRAINT never CHECK (made_at IS NULL) NOT VALID")
    source.keep_unsettled([TENANT], now=NOW)
    db.execute("ALTER TABLE dashboard.unsettled_book DROP CONSTRAINT never")
    source.keep_unsettled([TENANT], now=NOW)
    assert not is_known(engine, NOW)
    Source(engine).keep_unsettled([TENANT], now=NOW)
    assert is_known(engine, NOW)


def test_what_no_trigger_saw_is_found_when_it_is_asked_to_look_again(db: Db, engine: Engine) -> None:
    _, source = kept(db, engine)
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute("DELETE FROM dashboard.allocation")
    with engine.begin() as connection:
        doubt_settled(connection, [TENANT])
    assert owed(source) == 200


def test_rows_of_a_tenant_that_nobody_computes_any_more_are_cleared_away(db: Db, engine: Engine) -> None:
    books, source = kept(db, engine)
    db.execute("UPDATE dashboard.unsettled_book SET begun_at = begun_at - interval '4 days'")
    books.rows.invoice(NOW.date(), 100)
    db.execute("DELETE FROM dashboard.change")
    assert unsettled(db) == {"open"}
    add_tenant(db, "t2")
    source.keep_unsettled(["t2"], now=NOW)
    assert unsettled(db) == set()


def test_only_tenants_with_many_allocations_have_their_documents_written_down(db: Db, engine: Engine) -> None:
    rows = add_tenant(db, TENANT)
    invoice = rows.invoice(NOW.date(), 100)
    for _ in range(2):
        rows.payment(NOW.date(), 10, on={invoice: 10})
    assert Source(engine, enough_allocations=3).load([TENANT]).unsettled_due == ()
    assert Source(engine, enough_allocations=2).load([TENANT]).unsettled_due == (TENANT,)


# What a change of one document does to those that it does not name


def test_a_refund_gets_back_what_invoices_leave_less_of_its_credit_note(db: Db, engine: Engine) -> None:
    books = Books(db, engine)
    before = NOW.date() - timedelta(days=9)
    books.rows.invoice(before, 100, invoice_id="i1")
    books.rows.payment(before, 60, payment_id="p1", on={"i1": 60})
    books.rows.credit_note(before, 50, invoice_id="n1", on={"i1": 50})
    # Of the other note 70 are used, so this refund takes 30 of it, and the 10 that the invoice leaves of the first one.
    books.rows.invoice(before, 70, invoice_id="i2")
    books.rows.credit_note(before, 100, invoice_id="n2", on={"i2": 70})
    books.rows.refund(before, 40, payment_id="r1", on={"n1": 10, "n2": 90})
    books.look("keep")
    assert is_known(engine, NOW)
    assert unsettled(db) == set()
    db.execute("DELETE FROM dashboard.allocation WHERE source_id = 'p1'")
    books.look("keep")
    assert unsettled(db) == {"i1", "p1", "r1"}
