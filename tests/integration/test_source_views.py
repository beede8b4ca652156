"""A product that maps its schema by views may deliver what the contract's tables refuse: it is refused or flagged here."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from shared.errors import InvalidData
from shared.receipts import Question
from tests.rows import Rows, add_tenant
from workers.kpi.dashboard import dashboard
from workers.receipts.receipt import find_documents
from workers.source import Source
from workers.source.columns import OPTIONAL, losses

Db = psycopg.Connection[Any]
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
TODAY = NOON.date()


def view(db: Db, table: str, **columns: str) -> None:
    """Put a view in the table's place that gives `columns` (SQL expressions) for the tenant `bad`; the rest as it was."""
    names = [
        name
        for (name,) in db.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
            [f"dashboard.{table}"],
        )
    ]
    chosen = (
        f"CASE WHEN tenant_id = 'bad' THEN {columns[n]} ELSE {n} END AS {n}" if n in columns else n for n in names
    )
    db.execute(f"ALTER TABLE dashboard.{table} RENAME TO {table}_rows")
    db.execute(f"CREATE VIEW dashboard.{table} AS SELECT {', '.join(chosen)} FROM dashboard.{table}_rows")


def two_tenants(db: Db) -> list[Rows]:
    """Tenants `good` and `bad` with one row of every kind each."""
    both = [add_tenant(db, tenant_id, basis="cash") for tenant_id in ("good", "bad")]
    for rows in both:
        invoice = rows.invoice(TODAY, 100, client_id=rows.client("c1"), currency="EUR")
        rows.payment(TODAY, 60, on={invoice: 50}, currency="EUR")
        rows.expense(TODAY, 10, paid_on=TODAY)
        rows.expense(TODAY, 10, due_date=TODAY)
        rows.quote("sent", TODAY)
        rows.recurring(TODAY, 10)
        rows.rate("EUR", TODAY, "1.1")
    return both


@pytest.mark.parametrize("nonsense", ["'NaN'::numeric", "'Infinity'::numeric", "NULL"])
@pytest.mark.parametrize(
    ("table", "column"),
    [("invoice", "total"), ("payment", "amount"), ("expense", "total"), ("quote", "total"), ("recurring", "amount")],
)
def test_an_amount_that_is_no_number_is_refused_and_stops_nobody_else(
    db: Db, engine: Engine, table: str, column: str, nonsense: str
) -> None:
    two_tenants(db)
    view(db, table, **{column: nonsense})
    source = Source(engine)
    for batch in (["bad"], ["good", "bad"]):
        with pytest.raises(InvalidData, match="missing, NaN or infinite") as refused:
            source.load(batch, now=NOON)
        assert refused.value.tenant_id == "bad"
    assert len(source.load(["good"], now=NOON).facts["good"].invoices) == 1


@pytest.mark.parametrize(
    ("table", "column"), [("invoice", "tax"), ("invoice", "balance"), ("invoice", "base_rate"), ("fx_rate", "rate")]
)
def test_a_number_that_is_none_is_refused_wherever_it_counts(db: Db, engine: Engine, table: str, column: str) -> None:
    two_tenants(db)
    view(db, table, **{column: "'NaN'::numeric"})
    with pytest.raises(InvalidData):
        Source(engine).load(["bad"], now=NOON)


def test_a_rate_that_is_not_positive_is_no_rate(db: Db, engine: Engine) -> None:
    two_tenants(db)
    view(db, "invoice", base_rate="0")
    view(db, "fx_rate", rate="-1")
    facts = Source(engine).load(["bad"], now=NOON).facts["bad"]
    assert [(group.no_rate, group.gross) for group in facts.invoices] == [("EUR", Decimal(100))]
    assert [(group.no_rate, group.net) for group in facts.allocations] == [("EUR", Decimal(50))]
    assert [(group.currency, group.base) for group in facts.open_invoices] == [("EUR", None)]


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("tenant", "cash_balance_on", "DATE 'infinity'"),
        ("recurring", "next_on", "DATE '-infinity'"),
        ("recurring", "next_on", "DATE '0044-03-15 BC'"),
    ],
)
def test_a_date_that_python_cannot_hold_is_refused_in_the_name_of_the_batch(
    db: Db, engine: Engine, table: str, column: str, value: str
) -> None:
    two_tenants(db)
    view(db, table, currency="'EUR'", **{column: value})
    source = Source(engine)
    with pytest.raises(InvalidData) as alone:
        source.load(["bad"], now=NOON)
    assert alone.value.tenant_id == "bad"
    assert "date" in alone.value.reason
    with pytest.raises(InvalidData):
        source.load(["good", "bad"], now=NOON)
    assert list(source.load(["good"], now=NOON).facts) == ["good"]


@pytest.mark.parametrize("end", ["infinity", "20000-01-01"])
def test_a_distant_date_that_decides_nothing_is_let_pass(db: Db, engine: Engine, end: str) -> None:
    two_tenants(db)
    view(db, "invoice", written_off_on=f"DATE '{end}'", due_date="DATE '20000-01-01'")
    view(db, "recurring", ends_on=f"DATE '{end}'")
    view(db, "quote", expiry_date=f"DATE '{end}'")
    facts = Source(engine).load(["bad"], now=NOON).facts["bad"]
    assert [(group.bucket, group.oldest_due) for group in facts.open_invoices] == [("current", None)]
    assert [template.ends_on for template in facts.recurring] == [None]
    assert [group.outcome for group in facts.quotes] == ["open"]


@pytest.mark.parametrize("basis", ["accrual", "cash"])
@pytest.mark.parametrize("day", ["20260-03-01", "0044-03-15 BC"])
def test_a_document_dated_beyond_the_calendar_stops_nobody(db: Db, engine: Engine, day: str, basis: str) -> None:
    rows, today = add_tenant(db, basis=basis), NOON.date()
    sold = rows.invoice(today, 100, currency="EUR", due_date=today, recurring_id="r1")
    rows.payment(today, 50, currency="EUR", on={sold: 50})
    rows.payment(today - timedelta(days=200), 50, currency="EUR", on={sold: 50})
    bought = rows.expense(today, 10, recurring_id="r2")
    for kind, template in (("invoice", "r1"), ("expense", "r2")):
        columns = {"recurring_id": template, "kind": kind, "currency": "USD", "amount": 7, "interval_unit": "month"}
        rows.insert("recurring", {**columns, "next_on": today + timedelta(days=5)})
    db.execute("UPDATE dashboard.recurring SET ends_on = %s", [day if "BC" in day else None])
    quote = {"status": "accepted", "decided_on": today, "currency": "EUR", "total": 5}
    rows.insert("quote", {"quote_id": "q", "issue_date": today, **quote})
    db.execute("UPDATE dashboard.invoice SET issue_date = %s WHERE invoice_id = %s", [day, sold])
    db.execute("UPDATE dashboard.expense SET expense_date = %s WHERE expense_id = %s", [day, bought])
    db.execute("UPDATE dashboard.quote SET issue_date = %s", [day])
    source = Source(engine)
    source.mend(["t1"], now=NOON)
    made = dashboard(source.load(["t1"], now=NOON).facts["t1"], computed_at=NOON)
    assert [issue.currency for issue in made.snapshot.data_issues] == ["EUR"]
    assert [one.outflow for one in made.overview.cash_forecast if one.outflow] == [10]
    found = find_documents(source, "t1", Question(number="forecast"), now=NOON)
    assert found is not None
    assert found.now.total == -10


def test_a_missing_currency_is_one_that_nobody_has_a_rate_for(db: Db, engine: Engine) -> None:
    two_tenants(db)
    for table in ("invoice", "payment", "expense", "quote", "recurring"):
        view(db, table, currency="NULL")
    facts = Source(engine).load(["bad"], now=NOON).facts["bad"]
    flows = (
        facts.invoices,
        facts.clients,
        facts.payments,
        facts.expenses,
        facts.payables,
        facts.quotes,
        facts.allocations,
    )
    assert {group.no_rate for groups in flows for group in groups} == {"XXX"}
    balances = (facts.open_invoices, facts.credits, facts.recurring)
    assert {(group.currency, group.base) for groups in balances for group in groups} == {("XXX", None)}


def test_views_of_other_types_are_read_like_the_tables(db: Db, engine: Engine) -> None:
    two_tenants(db)
    expected = Source(engine).load(["good"], now=NOON).facts["good"]
    for table in ("invoice", "payment", "expense", "quote", "recurring", "fx_rate"):
        view(db, table, currency="'QQQ'::text")
    assert Source(engine).load(["good"], now=NOON).facts["good"] == expected


@pytest.mark.parametrize(
    ("column", "value", "code", "detail"),
    [
        ("timezone", "'Mars/Olympus'", "unknown_timezone", "there is no time zone 'Mars/Olympus'; UTC is used instead"),
        ("timezone", "'../../etc/passwd'", "unknown_timezone", None),
        ("timezone", "repeat('x', 5000)", "unknown_timezone", None),
        ("timezone", "NULL", "unknown_timezone", "no time zone is given; UTC is used instead"),
        ("base_currency", "'QQQ'", "unknown_currency", "there is no base currency 'QQQ'; two decimals are assumed"),
        ("base_currency", "NULL", "unknown_currency", "no base currency is given; two decimals are assumed"),
        ("basis", "'barter'", "unknown_basis", "there is no basis 'barter'; accrual is used instead"),
    ],
)
def test_a_setting_that_says_nothing_is_replaced_and_reported(
    db: Db, engine: Engine, column: str, value: str, code: str, detail: str | None
) -> None:
    two_tenants(db)
    view(db, "tenant", **{column: value})
    facts = Source(engine).load(["good", "bad"], now=NOON).facts
    tenant = facts["bad"].tenant
    (issue,) = tenant.issues
    assert issue.code == code
    assert detail is None or issue.detail == detail
    assert len(issue.detail) < 120
    assert facts["good"].tenant.issues == ()
    if column == "timezone":
        assert tenant.timezone == "UTC"
    if column == "basis":
        assert tenant.basis == "accrual"
    if value == "NULL" and column == "base_currency":
        assert tenant.base_currency == "XXX"


def test_a_basis_that_is_not_given_is_accrual(db: Db, engine: Engine) -> None:
    two_tenants(db)
    view(db, "tenant", basis="NULL", fiscal_year_start_month="NULL")
    tenant = Source(engine).load(["bad"], now=NOON).facts["bad"].tenant
    assert (tenant.basis, tenant.issues, tenant.fiscal_year_start_month) == ("accrual", (), 1)


OPTIONAL_COLUMNS = [(table, column) for table, columns in OPTIONAL.items() for column in columns]


def drop(db: Db, table: str, *columns: str) -> None:
    """Put a view in the table's place that lacks these columns."""
    names = db.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
        [f"dashboard.{table}"],
    )
    kept = [name for (name,) in names if name not in columns]
    db.execute(f"ALTER TABLE dashboard.{table} RENAME TO {table}_rows")
    db.execute(f"CREATE VIEW dashboard.{table} AS SELECT {', '.join(kept)} FROM dashboard.{table}_rows")


def test_a_view_that_lacks_every_optional_column_is_read_as_if_they_were_null(db: Db, engine: Engine) -> None:
    two_tenants(db)
    for table, columns in OPTIONAL.items():
        # A table's own updated_at is never null; of what is loaded nothing looks at it.
        names = ", ".join(f"{name} = NULL" for name in columns if table != "tenant" and name != "updated_at")
        if names:
            db.execute(f"UPDATE dashboard.{table} SET {names}")
    db.execute("UPDATE dashboard.tenant SET basis = 'accrual'")
    expected = Source(engine).load(["good"], now=NOON).facts["good"]
    for table, columns in OPTIONAL.items():
        drop(db, table, *columns, "updated_at", "created_at", "archived_at", "paid_at")
    source = Source(engine)
    assert source.load(["good"], now=NOON).facts["good"] == expected
    assert source.missing_columns() == set(OPTIONAL_COLUMNS)
    assert len(expected.invoices) == len(expected.open_invoices) == len(expected.payments) == 1
    day = date(2026, 3, 1), date(2026, 3, 31)
    assert source.touched_documents(expected, {"2026-03": day}) == {}, "nobody says what was written when"


def test_a_column_that_goes_or_comes_while_we_read_is_noticed(db: Db, engine: Engine) -> None:
    two_tenants(db)
    source = Source(engine)
    source.load(["good"], now=NOON)
    assert source.load(["good"], now=NOON).facts["good"].expenses[0].anomalies == 0
    drop(db, "expense", "tax", "category")
    assert source.load(["good"], now=NOON).facts["good"].expenses[0].anomalies == 2
    db.execute("DROP VIEW dashboard.expense")
    db.execute("ALTER TABLE dashboard.expense_rows RENAME TO expense")
    assert source.load(["good"], now=NOON).facts["good"].expenses[0].anomalies == 0


def test_each_missing_column_is_named_with_what_is_lost_by_it(db: Db, engine: Engine) -> None:
    drop(db, "invoice", "due_date")
    lost = dict(losses(Source(engine).missing_columns()))
    assert lost == {"invoice.due_date": "no invoice is ever overdue, and every one is an anomaly"}
    assert all(of.lost for columns in OPTIONAL.values() for of in columns.values())
