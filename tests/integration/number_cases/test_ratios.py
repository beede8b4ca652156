"""Two sides of a ratio look at the same documents."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Engine

from tests.integration.number_cases.board import DAY, TODAY, Db, shown
from tests.rows import add_tenant


def test_invoice_dated_ahead_is_in_no_dso(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY - 20 * DAY, 9000, balance=0)
    tenant.invoice(TODAY + 7 * DAY, 90000, balance=90000)

    receivables = shown(engine).receivables

    assert (receivables.dso_days, receivables.outstanding) == (0, 90000)


def test_unused_credit_note_is_in_both_sides_of_dso(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY - 10 * DAY, 1000, due_date=TODAY + 20 * DAY, client_id="a")
    tenant.credit_note(TODAY - 2 * DAY, 400, client_id="a")

    receivables = shown(engine).receivables

    assert (receivables.outstanding, receivables.customer_credit, receivables.dso_days) == (1000, 400, 90)


def test_credit_note_used_in_part_counts_with_the_rest(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    invoice = tenant.invoice(TODAY - 10 * DAY, 1000, client_id="a")
    tenant.credit_note(TODAY - 2 * DAY, 400, on={invoice: 150}, client_id="a")
    tenant.credit_note(TODAY + DAY, 99, client_id="a")

    receivables = shown(engine).receivables

    # 850 − 250 over 1000 − 400; the note dated tomorrow is nobody's yet.
    assert (receivables.outstanding, receivables.customer_credit, receivables.dso_days) == (850, 250, 90)


def test_dso_is_never_below_zero(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY, 1000, balance=0)
    tenant.credit_note(TODAY, 400, balance=400)

    assert shown(engine).receivables.dso_days == 0


def test_shares_are_of_the_positive_rows(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    for client, total in (("a", 300), ("b", 100)):
        tenant.invoice(TODAY, total, client_id=client)
    tenant.credit_note(TODAY, 50, client_id="c")
    for category, amount in (("rent", 90), ("travel", 30), ("returned", -20)):
        tenant.expense(TODAY, amount, category=category)

    board = shown(engine)

    clients = [(client.client_id, client.revenue, client.share) for client in board.top_clients]
    assert clients == [("a", 300, Decimal("0.75")), ("b", 100, Decimal("0.25")), ("c", -50, None)]
    categories = [(row.category, row.share) for row in board.expense_categories]
    assert categories == [("rent", Decimal("0.75")), ("travel", Decimal("0.25")), ("returned", None)]
