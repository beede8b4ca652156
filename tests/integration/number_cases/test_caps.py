"""An allocation is capped in the flow as in the balance."""

from __future__ import annotations

from sqlalchemy import Engine

from shared.snapshot import REVENUE
from tests.integration.number_cases.board import DAY, TODAY, YESTERDAY, Db, shown
from tests.rows import add_tenant


def test_overpayment_is_no_revenue(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, basis="cash")
    invoice = tenant.invoice(TODAY - 5 * DAY, 100, client_id="a")
    tenant.payment(TODAY, 150, on={invoice: 150}, client_id="a")

    board = shown(engine)

    assert board.metrics[REVENUE].value == 100
    assert (board.receivables.customer_credit, board.receivables.outstanding) == (50, 0)


def test_second_payment_of_a_paid_invoice_is_all_credit(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, basis="cash")
    invoice = tenant.invoice(TODAY - 5 * DAY, 110, tax=10)
    tenant.payment(YESTERDAY, 110, on={invoice: 110})
    tenant.payment(TODAY, 110, on={invoice: 110})

    board = shown(engine)

    assert (board.metrics[REVENUE].value, board.metrics[REVENUE].previous) == (0, 100)
    assert board.receivables.customer_credit == 110


def test_refund_takes_back_the_surplus_before_it_reopens(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, basis="cash")
    invoice = tenant.invoice(TODAY - 5 * DAY, 100)
    tenant.payment(YESTERDAY, 150, on={invoice: 150})
    tenant.refund(TODAY, 80, on={invoice: 80})

    board = shown(engine)

    # 50 of it undo the surplus, 30 reopen the invoice.
    assert board.metrics[REVENUE].value == -30
    assert (board.receivables.customer_credit, board.receivables.outstanding) == (0, 30)


def test_refund_reopens_no_more_than_was_paid(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, basis="cash")
    invoice = tenant.invoice(TODAY - 5 * DAY, 100, client_id="a")
    tenant.payment(YESTERDAY, 40, on={invoice: 40}, client_id="a")
    tenant.credit_note(YESTERDAY, 60, on={invoice: 60}, client_id="a")
    tenant.refund(TODAY, 70, on={invoice: 70}, client_id="a")
    tenant.payment(TODAY, 100, client_id="a")

    board = shown(engine)

    # 40 were paid; the other 30 are an unallocated refund, which lessens the deposit of 100.
    assert board.metrics[REVENUE].value == -40
    assert (board.receivables.outstanding, board.receivables.customer_credit) == (40, 70)


def test_credit_note_beyond_the_total_stays_the_clients(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    invoice = tenant.invoice(TODAY, 100)
    tenant.payment(TODAY, 80, on={invoice: 80})
    tenant.credit_note(TODAY, 50, on={invoice: 50})

    board = shown(engine)

    assert (board.receivables.outstanding, board.receivables.customer_credit) == (0, 30)


def test_credit_of_one_client_is_not_eaten_by_the_refund_of_another(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.payment(TODAY, 100, client_id="a")
    tenant.refund(TODAY, 60, client_id="b")

    assert shown(engine).receivables.customer_credit == 100


def test_payment_without_client_belongs_to_its_allocations_client(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    invoice = tenant.invoice(TODAY, 100, client_id="a")
    tenant.payment(TODAY, 150, on={invoice: 100})
    tenant.refund(TODAY, 20, client_id="a")

    # 50 of client a's money less 20 refunded to it.
    assert shown(engine).receivables.customer_credit == 30
