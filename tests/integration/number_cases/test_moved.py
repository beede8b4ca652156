"""What moved a number since the time before: worked by hand, invoice by invoice."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import Engine

from shared.receipts import Question
from tests.integration.number_cases.board import DAY, NOON, TODAY, YESTERDAY, Db
from tests.rows import Rows, add_tenant
from workers.receipts.changes import moves
from workers.receipts.receipt import Compared, find_documents
from workers.source import Source

Line = tuple[str | None, str | None, Decimal, Decimal | None]


def compared(engine: Engine, number: str) -> Compared:
    found = find_documents(Source(engine), "t1", Question(number=number, changes=True), now=NOON)
    assert found is not None
    assert found.compared is not None
    return found.compared


def lines(found: Compared) -> list[Line]:
    """(document, what became of it, amount, base amount), in the order of the receipt."""
    return [(one.id, one.moved, one.amount, one.base_amount) for one in found.changes.documents]


def line(name: str, moved: str, amount: str, base: str) -> Line:
    return name, moved, Decimal(amount), Decimal(base)


@pytest.fixture(params=[True, False], ids=["balances told", "balances worked out"])
def books(request: pytest.FixtureRequest, db: Db) -> Rows:
    """Seven invoices of one tenant; it tells what is left of them and of its payments, or leaves that to be worked out."""
    rows = add_tenant(db)

    def left(balance: int) -> dict[str, int]:
        return {"balance": balance} if request.param else {}

    def paid(invoice: str, amount: int) -> None:
        rows.payment(TODAY, amount, on={invoice: amount}, **({"unapplied": 0} if request.param else {}))

    rows.rate("EUR", YESTERDAY, "1.08")
    rows.rate("EUR", TODAY, "1.10")
    rows.invoice(TODAY, 500, invoice_id="new", **left(500))
    rows.invoice(YESTERDAY, 300, invoice_id="paid", **left(0))
    paid("paid", 300)
    rows.invoice(YESTERDAY, 400, invoice_id="part", **left(250))
    paid("part", 150)
    rows.invoice(TODAY - 9 * DAY, 100, invoice_id="fell due", due_date=YESTERDAY, **left(100))
    rows.invoice(YESTERDAY, 1000, invoice_id="euros", currency="EUR", **left(1000))
    rows.invoice(YESTERDAY, 70, invoice_id="same", **left(70))
    rows.invoice(TODAY - 9 * DAY, 60, invoice_id="still late", due_date=YESTERDAY - DAY, **left(60))
    return rows


def test_open_invoices_come_go_and_change(books: Rows, engine: Engine) -> None:
    # Yesterday 300 + 400 + 100 + 1000 * 1.08 + 70 = 1950 were pending, today 500 + 250 + 1000 * 1.10 + 70 = 1920.
    found = compared(engine, "pending-invoices")
    assert lines(found) == [
        line("new", "in", "500", "500"),
        line("paid", "out", "-300", "-300"),
        line("part", "changed", "-150", "-150"),
        line("fell due", "out", "-100", "-100"),
        line("euros", "changed", "0", "20"),
    ]
    assert (found.days.last, len(found.before.documents), found.before.total) == (YESTERDAY, 5, 1950)
    assert found.changes.total == -30
    parts = moves(found.changes.documents)
    told = [(part.count, part.total) for part in (parts.into, parts.out, parts.changed)]
    assert told == [(1, 500), (2, -400), (2, -130)]


def test_what_falls_due_leaves_the_pending_for_the_overdue(books: Rows, engine: Engine) -> None:
    found = compared(engine, "overdue-invoices")
    assert lines(found) == [line("fell due", "in", "100", "100")]
    assert (found.before.total, found.changes.total) == (60, 100)
    # Owed in all: it stays so.
    assert "fell due" not in [name for name, *_ in lines(compared(engine, "outstanding"))]


def test_what_is_reopened_or_written_off_today_and_what_has_no_rate(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.invoice(YESTERDAY, 90, invoice_id="reopened")
    rows.payment(YESTERDAY, 90, on={"reopened": 90})
    rows.refund(TODAY, 40, on={"reopened": 40})
    rows.invoice(YESTERDAY, 80, invoice_id="written off", written_off_on=TODAY)
    rows.invoice(TODAY, 10, invoice_id="without a rate", currency="CHF")
    found = compared(engine, "pending-invoices")
    assert lines(found) == [
        line("written off", "out", "-80", "-80"),
        line("reopened", "in", "40", "40"),
        ("without a rate", "in", Decimal(10), None),
    ]
    assert (found.before.total, found.changes.total) == (80, -40)


def test_a_rate_that_is_not_known_any_more_takes_the_amount_out_of_the_sum(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.rate("EUR", YESTERDAY - 7 * DAY, "1.08")
    rows.invoice(YESTERDAY, 100, invoice_id="euros", currency="EUR")
    rows.invoice(YESTERDAY, 5)
    assert lines(compared(engine, "outstanding")) == [line("euros", "changed", "0", "-108")]


def test_sales_of_today_are_in_and_those_of_yesterday_out(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.invoice(TODAY, 110, tax=10, invoice_id="today")
    rows.invoice(YESTERDAY, 55, tax=5, invoice_id="yesterday")
    rows.invoice(YESTERDAY - DAY, 7)
    found = compared(engine, "daily-revenue")
    assert lines(found) == [line("today", "in", "100", "100"), line("yesterday", "out", "-50", "-50")]
    assert found.changes.total == 50


def test_quotes_and_clients_are_compared_with_as_many_days_before(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.client("c1")
    for ago in (0, 89, 90, 179, 180):
        decided = TODAY - ago * DAY
        rows.quote("declined", decided, 10 + ago, decided_on=decided, quote_id=f"q{ago}")
    for ago in (0, 29, 30, 59, 60):
        rows.invoice(TODAY - ago * DAY, 10 + ago, client_id="c1", invoice_id=f"i{ago}")
    for number, come, gone in (
        ("quote-conversion", {"q0", "q89"}, {"q90", "q179"}),
        ("client-activity", {"i0", "i29"}, {"i30", "i59"}),
    ):
        found = compared(engine, number).changes.documents
        assert {one.id for one in found if one.moved == "in"} == come
        assert {one.id for one in found if one.moved == "out"} == gone


def test_money_that_paid_for_nothing_keeps_a_day_known_beside_what_has_no_rate(db: Db, engine: Engine) -> None:
    """Cash basis: a payment without allocations converts, so that the metric is 0 and not unknown; so is its receipt."""
    rows = add_tenant(db, basis="cash")
    rows.payment(TODAY, 100, on={rows.invoice(YESTERDAY, 100, currency="JPY"): 100}, currency="JPY")
    question = Question(number="daily-revenue")
    alone = find_documents(Source(engine), "t1", question, now=NOON)
    rows.payment(TODAY, 40)
    beside = find_documents(Source(engine), "t1", question, now=NOON)
    assert alone is not None
    assert beside is not None
    assert (alone.now.total, beside.now.total) == (None, Decimal())
    assert [one.base_amount for one in beside.now.documents] == [None]
