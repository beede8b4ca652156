"""A table that is empty says "nothing happened" or "not known"."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from shared.snapshot import CASH_FLOW, EXPENSES, PROFIT, REVENUE
from tests.integration.number_cases.board import DAY, TODAY, Db, shown
from tests.rows import add_tenant


def test_credit_is_unknown_where_balances_are_given_and_links_are_not(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    for n in range(1, 25):
        issued = TODAY - 30 * n * DAY
        tenant.invoice(issued, 1000, due_date=issued + 14 * DAY, balance=0, client_id="a")
        tenant.payment(issued + 10 * DAY, 1000, client_id="a")

    board = shown(engine)

    assert board.receivables.customer_credit is None
    assert (board.receivables.outstanding, board.receivables.dso_days) == (0, 0)


def test_cash_basis_revenue_is_unknown_there_too_and_so_is_profit(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, basis="cash")
    tenant.invoice(TODAY - 5 * DAY, 1000, balance=0)
    tenant.payment(TODAY, 1000)
    tenant.expense(TODAY, 100, paid_on=TODAY)

    board = shown(engine)

    assert [board.metrics[name].value for name in (REVENUE, PROFIT)] == [None, None]
    assert [board.metrics[name].value for name in (EXPENSES, CASH_FLOW)] == [100, 900]
    assert {day.revenue for day in board.series.values()} == {None}
    assert [board.score.components[name].points for name in ("profitability", "growth")] == [None, None]


@pytest.mark.parametrize("hint", ["unapplied", "allocation", "no balance", "no money"])
def test_credit_is_known_as_soon_as_anything_tells(db: Db, engine: Engine, hint: str) -> None:
    tenant = add_tenant(db)
    invoice = tenant.invoice(TODAY, 100, balance=None if hint == "no balance" else 60)
    if hint != "no money":
        unapplied = {"unapplied": 10} if hint == "unapplied" else {}
        tenant.payment(TODAY, 50, on={invoice: 40} if hint == "allocation" else None, **unapplied)

    credit = shown(engine).receivables.customer_credit

    assert credit == {"unapplied": 10, "allocation": 10, "no balance": 50, "no money": 0}[hint]


def test_what_the_host_says_is_not_applied_needs_no_allocations(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY, 100, balance=0)
    tenant.payment(TODAY, 150, unapplied=50, client_id="a")
    tenant.payment(TODAY, 70, unapplied=0, client_id="a")
    tenant.refund(TODAY, 20, unapplied=20, client_id="a")

    assert shown(engine).receivables.customer_credit == 30
