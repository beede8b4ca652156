"""What is decided is decided on what is shown."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Engine

from shared.snapshot import OVERDUE, PENDING, PROFIT, REVENUE
from tests.integration.number_cases.board import DAY, EVENING, TODAY, YESTERDAY, Db, ins_and_outs, left_out, shown
from tests.rows import add_tenant


def test_nothing_shown_has_no_percentage(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    for n in range(60):
        tenant.invoice(TODAY - (2 + n % 26) * DAY, 100, balance=0, client_id="a")
    tenant.invoice(YESTERDAY, 100, currency="EUR", base_rate="1.10004", balance=0)
    tenant.credit_note(YESTERDAY, 100, currency="EUR", base_rate="1.10000", balance=0)
    tenant.invoice(TODAY, 1000, balance=0)

    board = shown(engine, EVENING)

    revenue = board.metrics[REVENUE]
    assert (revenue.previous, revenue.change, revenue.change_percent) == (0, 1000, None)
    assert ("success", REVENUE) in board.alerts


def test_change_is_the_difference_of_what_is_shown(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY, "10.006", balance=0)
    tenant.invoice(YESTERDAY, "10.004", balance=0)

    revenue = shown(engine).metrics[REVENUE]

    assert (revenue.value, revenue.previous, revenue.change) == (Decimal("10.01"), 10, Decimal("0.01"))


def test_loss_below_a_cent_raises_no_alarm(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY, "10.000", balance=0)
    tenant.expense(TODAY, "10.004")

    board = shown(engine)

    assert board.metrics[PROFIT].value == 0
    assert ("critical", PROFIT) not in board.alerts


def test_residue_below_a_cent_is_not_open(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    for _ in range(6):
        invoice = tenant.invoice(TODAY - 40 * DAY, 100, due_date=TODAY - 10 * DAY)
        for _ in range(3):
            tenant.payment(TODAY - 20 * DAY, "33.3333", on={invoice: "33.3333"})

    board = shown(engine)

    assert (board.metrics[OVERDUE].value, board.metrics[OVERDUE].amount) == (0, 0)
    assert ("warning", OVERDUE) not in board.alerts
    collections = board.score.components["collections"].value
    assert getattr(collections, "overdue_share") is None  # noqa: B009 (either of two types)


def test_residue_below_a_yen_is_not_open(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, base_currency="JPY")
    invoice = tenant.invoice(TODAY - 40 * DAY, "1000.4", tax="90.9", due_date=TODAY - 10 * DAY)
    tenant.payment(TODAY - 20 * DAY, 1000, on={invoice: 1000})

    board = shown(engine)

    assert (board.metrics[OVERDUE].value, board.metrics[OVERDUE].amount) == (0, 0)
    assert ins_and_outs(board) == {}


def test_a_cent_of_a_weak_currency_is_open_though_it_is_nothing_in_the_own_one(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.rate("JPY", TODAY, "0.004")
    tenant.invoice(TODAY, 1, currency="JPY")
    tenant.invoice(TODAY, "0.4", currency="JPY")

    pending = shown(engine).metrics[PENDING]

    assert (pending.value, pending.amount) == (1, 0)


def test_deposit_below_a_cent_is_no_credit(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.payment(TODAY, "0.004", currency="EUR")

    board = shown(engine)

    assert (board.receivables.customer_credit, left_out(board, "customer_credit")) == (0, {})
