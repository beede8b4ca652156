"""A refund of a credit note."""

from __future__ import annotations

from sqlalchemy import Engine

from shared.snapshot import PROFIT, REVENUE
from tests.integration.number_cases.board import DAY, TODAY, YESTERDAY, Db, shown
from tests.rows import add_tenant


def test_refund_of_a_credit_note_uses_it_up(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.payment(TODAY - 3 * DAY, 100, client_id="a")
    invoice = tenant.invoice(TODAY - 40 * DAY, 200, client_id="b", due_date=TODAY - 10 * DAY)
    note = tenant.credit_note(TODAY, 50, client_id="b")
    tenant.payment(TODAY - 30 * DAY, 200, client_id="b", on={invoice: 200})
    tenant.refund(TODAY, 50, client_id="b", on={note: 50})

    assert shown(engine).receivables.customer_credit == 100


def test_refund_of_a_credit_note_takes_from_cash_basis_revenue(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, basis="cash")
    invoice = tenant.invoice(YESTERDAY, 220, tax=20, client_id="b")
    note = tenant.credit_note(TODAY, 55, tax=5, client_id="b")
    tenant.payment(YESTERDAY, 220, client_id="b", on={invoice: 220})
    tenant.refund(TODAY, 55, client_id="b", on={note: 55})

    board = shown(engine)

    revenue = board.metrics[REVENUE]
    assert (revenue.value, revenue.previous, revenue.change_percent) == (-50, 200, -125)
    assert board.metrics[PROFIT].value == -50
    assert ("critical", PROFIT) in board.alerts


def test_refund_beyond_its_credit_note_is_an_unallocated_refund(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, basis="cash")
    tenant.payment(TODAY, 100, client_id="b")
    note = tenant.credit_note(YESTERDAY, 55, tax=5, client_id="b")
    tenant.refund(TODAY, 75, client_id="b", on={note: 75})

    board = shown(engine)

    assert (board.metrics[REVENUE].value, board.receivables.customer_credit) == (-50, 80)


def test_refund_takes_only_what_invoices_left_of_the_credit_note(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, basis="cash")
    invoice = tenant.invoice(TODAY - 5 * DAY, 100, client_id="b")
    note = tenant.credit_note(YESTERDAY, 60, on={invoice: 40}, client_id="b")
    tenant.refund(TODAY, 60, client_id="b", on={note: 60})

    board = shown(engine)

    # 20 of the refund pay out the rest of the note, 40 of it are nobody's due.
    assert board.metrics[REVENUE].value == -20
    assert (board.receivables.outstanding, board.receivables.customer_credit) == (60, 0)


def test_refund_before_its_credit_note_takes_no_more_than_invoices_leave(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, basis="cash")
    invoice = tenant.invoice(TODAY - 5 * DAY, 100, client_id="b")
    note = tenant.credit_note(TODAY, 60, on={invoice: 40}, client_id="b")
    tenant.refund(YESTERDAY, 60, client_id="b", on={note: 60})

    board = shown(engine)

    assert board.metrics[REVENUE].previous == -20
    assert (board.receivables.outstanding, board.receivables.customer_credit) == (60, 0)
