"""Periods stay exact whatever is changed of the past, and a change of today looks at no past day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from shared.snapshot import Overview
from tests.calculations import served
from tests.rows import Rows, add_tenant
from workers.audit.recount import differences, expected
from workers.capture import changes
from workers.kpi.dashboard import dashboard
from workers.source import Source

Db = psycopg.Connection[Any]

NOW = datetime(2026, 3, 11, 18, tzinfo=UTC)
TODAY = NOW.date()
BACK = (0, 61, 62, 70, 100, 200, 370, 500, 720, 800, 1000)


def ago(days: int) -> Any:
    return TODAY - timedelta(days=days)


def filled(db: Db, basis: str) -> Rows:
    """Three years of invoices that were paid a fortnight before they were issued, bills, and a currency without a rate."""
    rows = add_tenant(db, basis=basis, fiscal_year_start_month=4)
    for days in BACK:
        invoice = rows.invoice(ago(days), 1000 + days, tax=100, invoice_id=f"i{days}")
        rows.payment(ago(days + 14), 500, on={invoice: 500}, payment_id=f"p{days}")
        rows.expense(ago(days), 300, paid_on=ago(days - 5), expense_id=f"e{days}")
    rows.invoice(ago(150), 70, currency="EUR")
    return rows


def overview_of(source: Source, engine: Engine) -> Overview:
    """The overview as a recalculation makes it; it agrees with the recount, and everything seen is settled."""
    source.mend(["t1"], now=NOW)
    loaded = source.load(["t1"], now=NOW)
    made = dashboard(loaded.facts["t1"], computed_at=NOW)
    wanted = expected(engine, "t1", now=NOW)
    assert differences(wanted, served(made.snapshot), served(made.overview)) == []
    source.keep_closes({}, loaded.state, loaded.pending)
    assert source.oldest_change() is None
    return made.overview


def _sql(statement: str) -> Callable[[Rows], object]:
    return lambda rows: rows.db.execute(statement.encode())


CHANGES: dict[str, Callable[[Rows], object]] = {
    "inserted": lambda rows: rows.invoice(ago(400), 77),
    "amount": _sql("UPDATE dashboard.invoice SET total = 5000 WHERE invoice_id = 'i370'"),
    "moved to today": _sql("UPDATE dashboard.invoice SET issue_date = DATE '2026-03-11' WHERE invoice_id = 'i500'"),
    "void": _sql("UPDATE dashboard.invoice SET status = 'void' WHERE invoice_id = 'i720'"),
    "deleted": _sql("DELETE FROM dashboard.expense WHERE expense_id = 'e800'"),
    "payment failed": _sql("UPDATE dashboard.payment SET status = 'failed' WHERE payment_id = 'p1000'"),
    "refund": lambda rows: rows.refund(ago(90), 20, on={"i100": 20}),
    "allocation deleted": _sql("DELETE FROM dashboard.allocation WHERE source_id = 'p200'"),
    "allocation of an old payment": _sql("UPDATE dashboard.allocation SET invoice_id = 'i0' WHERE source_id = 'p100'"),
    "tax of an invoice paid before": _sql("UPDATE dashboard.invoice SET tax = 0 WHERE invoice_id = 'i62'"),
    "rate": lambda rows: rows.rate("EUR", ago(151), "1.5"),
    "other basis": _sql("UPDATE dashboard.tenant SET basis = CASE basis WHEN 'cash' THEN 'accrual' ELSE 'cash' END"),
    "other fiscal year": _sql("UPDATE dashboard.tenant SET fiscal_year_start_month = 11"),
}
# Those that the numbers must show; others matter on the other basis, or are there to be survived.
TELLING = {
    "accrual": {
        "inserted",
        "amount",
        "moved to today",
        "void",
        "deleted",
        "payment failed",
        "refund",
        "rate",
        "other basis",
    },
    "cash": {"deleted", "payment failed", "allocation deleted", "refund", "other basis"},
}


@pytest.mark.parametrize("basis", ["accrual", "cash"])
def test_every_change_of_the_past_is_in_the_periods_at_once(db: Db, engine: Engine, basis: str) -> None:
    rows, source = filled(db, basis), Source(engine)
    before = overview_of(source, engine)
    assert before.periods_as_of is None
    for name, change in CHANGES.items():
        change(rows)
        after = overview_of(source, engine)
        if name in TELLING[basis]:
            assert (after.periods, after.months) != (before.periods, before.months), name
        assert after.periods_as_of is None, name
        before = after


@pytest.mark.parametrize("basis", ["accrual", "cash"])
def test_a_change_of_today_makes_no_past_day_anew(db: Db, engine: Engine, basis: str, statements: list[str]) -> None:
    rows, source = filled(db, basis), Source(engine)
    overview_of(source, engine)
    statements.clear()
    overview_of(source, engine)
    invoice = rows.invoice(TODAY, 100)
    rows.payment(TODAY, 100, on={invoice: 100})
    overview_of(source, engine)
    assert not any("INSERT INTO dashboard.day_total" in statement for statement in statements)


def test_what_does_not_tell_its_days_says_how_old_the_past_is(db: Db, engine: Engine) -> None:
    filled(db, "accrual")
    source = Source(engine)
    first = overview_of(source, engine)
    db.execute("INSERT INTO dashboard.change (tenant_id) VALUES ('t1')")
    assert overview_of(source, engine).periods_as_of is not None
    assert source.make_totals_anew(10) == ["t1"]
    assert overview_of(source, engine) == first
    assert source.make_totals_anew(10) == []


def test_totals_are_read_again_only_when_somebody_has_made_them_anew(
    db: Db, engine: Engine, statements: list[str]
) -> None:
    rows = filled(db, "accrual")
    source, other = Source(engine), Source(engine)
    statements.clear()

    def read_totals() -> bool:
        read = any("FROM dashboard.day_total t" in statement for statement in statements)
        statements.clear()
        return read

    first = overview_of(source, engine)
    assert read_totals()
    rows.invoice(TODAY, 100)
    assert overview_of(source, engine).months[1:] == first.months[1:]
    assert not read_totals()

    rows.invoice(ago(400), 77)
    assert overview_of(other, engine).months != first.months
    statements.clear()
    assert overview_of(source, engine).periods == overview_of(other, engine).periods
    assert read_totals()


def test_the_past_of_some_tenants_is_remembered_and_the_others_are_read_beside_them(db: Db, engine: Engine) -> None:
    for tenant_id in ("a", "b", "c"):
        add_tenant(db, tenant_id).invoice(ago(400), 100)
    source = Source(engine, most_remembered=2)
    source.mend(["a", "b", "c"], now=NOW)
    for asked in (["a", "b"], ["b", "c"], ["a", "b", "c"], ["c"]):
        for facts in source.load(asked, now=NOW).facts.values():
            assert [total.revenue for total in facts.kept.totals] == [100], asked


def test_a_late_rate_of_an_invoice_that_was_paid_before_is_in_the_days_of_its_money(db: Db, engine: Engine) -> None:
    rows, source = add_tenant(db, basis="cash"), Source(engine)
    for issued, paid in ((200, 220), (0, 70)):
        invoice = rows.invoice(ago(issued), 100, currency="EUR")
        rows.payment(ago(paid), 100, on={invoice: 100})
    assert overview_of(source, engine).unconverted.months
    rows.rate("EUR", ago(201), "1.5")
    rows.rate("EUR", ago(1), "1.25", everyone=True)
    changes.expand_everyone(db)
    assert overview_of(source, engine).unconverted.months == ()


def test_a_payment_counts_where_it_leaves_less_to_a_refund_that_was_made_before_it(db: Db, engine: Engine) -> None:
    rows, source = add_tenant(db, basis="cash"), Source(engine)
    invoice = rows.invoice(ago(300), 100)
    note = rows.credit_note(ago(200), 50, on={invoice: 50})
    payment = rows.payment(ago(200), 60, on={invoice: 60})
    rows.refund(ago(250), 10, on={note: 10})
    before = overview_of(source, engine)
    db.execute("UPDATE dashboard.payment SET status = 'failed' WHERE payment_id = %s", [payment])
    assert overview_of(source, engine).months != before.months


def test_documents_that_a_change_for_everyone_names_are_looked_at_for_each(db: Db, engine: Engine) -> None:
    filled(db, "cash")
    source = Source(engine)
    before = overview_of(source, engine)
    # A trigger may not read it, so whose rows a statement has changed is not known, but which documents are.
    db.execute("ALTER TABLE dashboard.allocation ADD COLUMN year integer GENERATED ALWAYS AS (2000 + 26) VIRTUAL")
    db.execute("UPDATE dashboard.allocation SET amount = 400 WHERE source_id = 'p370'")
    assert db.execute("SELECT tenant_id FROM dashboard.change").fetchall() == [("*",)]
    changes.expand_everyone(db)
    assert overview_of(source, engine).months != before.months
