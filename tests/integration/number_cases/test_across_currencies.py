"""A payment in one currency for an invoice in another."""

from __future__ import annotations

from sqlalchemy import Engine

from shared.snapshot import REVENUE
from tests.integration.number_cases.board import DAY, TODAY, YESTERDAY, Db, left_out, shown
from tests.rows import add_tenant


def test_payment_across_currencies_leaves_what_it_did_not_pay(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    for ago in range(10):
        tenant.rate("EUR", TODAY - ago * DAY, "1.10")
    dollars = tenant.invoice(TODAY - 9 * DAY, 400, client_id="a")
    euros = tenant.invoice(TODAY - 9 * DAY, 100, currency="EUR", client_id="a")
    tenant.payment(YESTERDAY, 1000, client_id="a", on={dollars: 400, euros: 100})

    # 1000 − 400 − 100 × 1.10.
    assert shown(engine).receivables.customer_credit == 490


def test_rates_of_the_payments_day_decide_what_it_paid(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.rate("EUR", YESTERDAY, "2")
    tenant.rate("EUR", TODAY, "1.5")
    dollars = tenant.invoice(TODAY - 3 * DAY, 100, client_id="a")
    tenant.payment(YESTERDAY, 80, currency="EUR", client_id="a", on={dollars: 100})
    tenant.payment(TODAY, 10, currency="EUR", base_rate="4", client_id="a", on={dollars: 20})

    # EUR 80 − 100/2 = 30 left, worth 45 today; the second pays an invoice that is paid: 10 × 1.5 = 15.
    assert shown(engine).receivables.customer_credit == 60


def test_what_is_left_is_unknown_without_both_rates(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.rate("EUR", TODAY, "1.10")
    dollars = tenant.invoice(TODAY - 9 * DAY, 400, client_id="a")
    euros = tenant.invoice(TODAY - 9 * DAY, 100, currency="EUR", client_id="a", base_rate="1.2")
    tenant.payment(YESTERDAY, 1000, client_id="a", on={dollars: 400, euros: 100})

    board = shown(engine)

    assert board.receivables.customer_credit is None
    assert left_out(board, "customer_credit") == {"USD": (600, 1)}
    assert board.missing_rates == {"EUR": YESTERDAY}


def test_excess_of_a_foreign_allocation_stays_with_its_payment(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, basis="cash")
    for ago in range(10):
        tenant.rate("EUR", TODAY - ago * DAY, "1.10")
    euros = tenant.invoice(TODAY - 9 * DAY, 100, currency="EUR")
    tenant.payment(TODAY, 220, on={euros: 200})

    board = shown(engine)

    assert (board.metrics[REVENUE].value, board.receivables.customer_credit) == (110, 110)
