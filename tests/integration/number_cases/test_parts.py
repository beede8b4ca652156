"""Parts and the whole are rounded once, document by document."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Engine

from shared.snapshot import EXPENSES, OVERDUE, PROFIT, REVENUE
from tests.integration.number_cases.board import DAY, TODAY, Db, end_of, ins_and_outs, money, shown
from tests.rows import add_tenant


def test_buckets_add_up_to_overdue_and_profit_to_the_cent(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.rate("EUR", TODAY, "1.10")
    for late in (5, 45, 75):
        tenant.invoice(TODAY - (late + 30) * DAY, "33.35", currency="EUR", due_date=TODAY - late * DAY)
    tenant.invoice(TODAY, "10.0050", balance=0)
    tenant.expense(TODAY, "5.0040")

    board = shown(engine)

    # 33.35 × 1.10 = 36.685, each 36.69.
    buckets = [board.receivables.ageing[bucket].amount for bucket in ("1-30", "31-60", "61-90")]
    assert buckets == money("36.69", "36.69", "36.69")
    assert board.metrics[OVERDUE].amount == board.receivables.outstanding == Decimal("110.07")
    values = [board.metrics[name].value for name in (REVENUE, EXPENSES, PROFIT)]
    assert values == money("10.01", "5.00", "5.01")
    assert board.receivables.dso_days is None


def test_days_add_up_to_the_months_and_clients_to_revenue(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    for ago in range(30):
        tenant.invoice(TODAY - ago * DAY, "0.005", client_id=f"c{ago % 3}")

    board = shown(engine)

    assert sum(day.revenue or 0 for day in board.series.values()) == Decimal("0.30")
    assert [client.revenue for client in board.top_clients] == money("0.10", "0.10", "0.10")


def test_two_halves_of_a_cent_in_one_account_make_two_cents(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, base_currency="JPY")
    tenant.invoice(TODAY, "100.5", tax=0)
    tenant.invoice(TODAY, "100.5", tax=0)
    tenant.credit_note(TODAY, "100.5", tax=0)

    board = shown(engine)

    # 101 + 101 − 101: half away from zero on either side.
    assert board.metrics[REVENUE].value == 101
    assert board.receivables.by_currency["JPY"].amount == board.receivables.outstanding == 202


def test_what_an_invoice_brings_in_pieces_adds_up_to_its_balance(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.rate("EUR", TODAY, "1.111")
    invoice = tenant.invoice(TODAY, "10", currency="EUR", due_date=TODAY + 9 * DAY)
    for ahead in (1, 2, 3):
        tenant.payment(TODAY + ahead * DAY, "2.50", currency="EUR", on={invoice: "2.50"})

    board = shown(engine)

    # 2.50 × 1.111 = 2.7775, each 2.78; the whole is 11.11, so the last piece is 2.77.
    assert [inflow for inflow, _ in ins_and_outs(board).values()] == money("2.78", "2.78", "2.78", "2.77")
    assert end_of(board) == board.receivables.outstanding == Decimal("11.11")
