"""Where numbers of such products went wrong in public, case by case and kind by kind, as rows with the right values.

Both calculations show them. Each kind has cases beyond the one that was reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from shared.snapshot import CASH_FLOW, EXPENSES, OVERDUE, PENDING, PROFIT, REVENUE
from tests.calculations import agreed
from tests.rows import add_tenant
from workers.audit.recount import Expected

DAY = timedelta(days=1)
TODAY = date(2026, 3, 11)
NOON = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)
EVENING = datetime(2026, 3, 11, 21, 0, tzinfo=UTC)
YESTERDAY = TODAY - DAY

Db = psycopg.Connection[Any]
Amount = Decimal | int | str | None


def shown(engine: Engine, now: datetime = NOON) -> Expected:
    return agreed(engine, "t1", now)


def money(*amounts: str | None) -> list[Decimal | None]:
    return [None if amount is None else Decimal(amount) for amount in amounts]


def ins_and_outs(board: Expected) -> dict[int, tuple[Decimal | None, Decimal | None]]:
    """In and out of the days of the forecast on which anything is expected, by days from today."""
    days = enumerate(board.cash_forecast.values())
    return {ahead: (day.inflow, day.outflow) for ahead, day in days if (day.inflow, day.outflow) != (0, 0)}


def end_of(board: Expected) -> Decimal:
    """What the forecast arrives at."""
    return list(board.cash_forecast.values())[-1].cumulative


def left_out(board: Expected, block: str) -> dict[str, tuple[Decimal, int]]:
    return {currency: (left.amount, left.documents) for currency, left in board.unconverted[block].items()}


# --- A table that is empty says "nothing happened" or "not known" ---------------------------------------------------


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


# --- Parts and the whole are rounded once, document by document -----------------------------------------------------


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


# --- An allocation is capped in the flow as in the balance ----------------------------------------------------------


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


# --- Two sides of a ratio look at the same documents ----------------------------------------------------------------


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


# --- The forecast knows what the tables know ------------------------------------------------------------------------


def test_forecast_knows_the_dates_of_payments(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.expense(TODAY - 20 * DAY, 500, due_date=YESTERDAY, paid_on=TODAY + 10 * DAY)
    tenant.expense(TODAY - 20 * DAY, 700, paid_on=TODAY + 5 * DAY)
    invoice = tenant.invoice(TODAY - 40 * DAY, 900, due_date=TODAY - 10 * DAY)
    tenant.payment(TODAY + 7 * DAY, 900, on={invoice: 900})

    board = shown(engine)

    assert ins_and_outs(board) == {5: (0, 700), 7: (900, 0), 10: (0, 500)}
    assert end_of(board) == -300
    assert (board.metrics[OVERDUE].value, board.metrics[OVERDUE].amount) == (1, 900)


def test_part_that_is_announced_comes_then_and_the_rest_when_due(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    due_later = tenant.invoice(TODAY, 100, due_date=TODAY + 20 * DAY)
    late = tenant.invoice(TODAY - 40 * DAY, 100, due_date=YESTERDAY)
    tenant.invoice(TODAY, 7, due_date=None)
    tenant.payment(TODAY + 3 * DAY, 30, on={due_later: 30})
    tenant.payment(TODAY + 4 * DAY, 60, on={late: 60})
    tenant.payment(TODAY + 5 * DAY, 60, on={late: 60})
    tenant.payment(TODAY + 6 * DAY, 5000)

    # The late one is paid up by 60 and 40; what is beyond it, and money for nothing known, is no receipt of an invoice.
    assert ins_and_outs(shown(engine)) == {0: (7, 0), 3: (30, 0), 4: (60, 0), 5: (40, 0), 20: (70, 0)}


def test_template_and_its_document_are_one(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.recurring(TODAY + 5 * DAY, 1000, kind="expense", recurring_id="R1")
    tenant.expense(TODAY + 5 * DAY, 1000, due_date=TODAY + 5 * DAY, recurring_id="R1")

    board = shown(engine)

    assert ins_and_outs(board) == {5: (0, 1000)}
    assert end_of(board) == -1000


def test_template_comes_again_after_its_newest_document(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.recurring(TODAY, 10, interval_unit="week", recurring_id="R1", terms_days=3)
    tenant.invoice(TODAY + 7 * DAY, 10, due_date=TODAY + 10 * DAY, recurring_id="R1")
    tenant.invoice(TODAY + 20 * DAY, 10, status="draft", recurring_id="R1")

    # Today's and the next are made; those in 14, 21 and 28 days come, paid 3 days later, the last beyond 30 days.
    assert ins_and_outs(shown(engine)) == {10: (10, 0), 17: (10, 0), 24: (10, 0)}


def test_template_that_was_missed_waits_today(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.recurring(TODAY - 3 * DAY, 2000, kind="expense", interval_count=3)

    board = shown(engine)

    assert ins_and_outs(board) == {0: (0, 2000)}
    assert end_of(board) == -2000


@pytest.mark.parametrize(
    ("columns", "made", "expected"),
    [
        ({"interval_unit": "week"}, None, {0: 10, 5: 10, 12: 10, 19: 10, 26: 10}),
        ({"interval_unit": "week"}, -9, {0: 10, 5: 10, 12: 10, 19: 10, 26: 10}),
        ({"interval_unit": "week"}, -2, {5: 10, 12: 10, 19: 10, 26: 10}),
        ({"interval_unit": "week", "ends_on": TODAY - DAY}, -9, {0: 10}),
        ({"interval_unit": "week", "active": False}, None, {}),
        ({"interval_unit": "year"}, -16, {}),
    ],
    ids=["several missed", "the last missed", "none missed", "ended since", "not active", "made"],
)
def test_of_what_was_missed_one_comes_today(
    db: Db, engine: Engine, columns: Mapping[str, Any], made: int | None, expected: Mapping[int, int]
) -> None:
    tenant = add_tenant(db)
    tenant.recurring(TODAY - 16 * DAY, 10, kind="expense", recurring_id="R1", **columns)
    if made is not None:
        tenant.expense(TODAY + made * DAY, 10, paid_on=YESTERDAY, recurring_id="R1")

    assert {ahead: outflow for ahead, (_, outflow) in ins_and_outs(shown(engine)).items()} == expected


def test_month_without_that_day_has_its_last(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.recurring(date(2026, 1, 31), 10, kind="expense", recurring_id="R1")
    tenant.expense(date(2026, 1, 31), 10, paid_on=date(2026, 1, 31), recurring_id="R1")
    now = datetime(2026, 2, 10, 12, tzinfo=UTC)

    # 28 February, not 3 March; and the next is 31 March, beyond the 30 days.
    assert ins_and_outs(shown(engine, now)) == {18: (0, 10)}


def test_vendor_credit_lessens_what_that_vendor_is_owed_earliest_first(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    for ahead, total, vendor in ((2, 100, "v"), (5, 100, "v"), (2, 40, "w"), (3, 30, None)):
        tenant.expense(TODAY, total, due_date=TODAY + ahead * DAY, vendor=vendor)
    tenant.expense(TODAY, -120, vendor="v")
    tenant.expense(TODAY, -60, vendor="w", due_date=TODAY + 20 * DAY)
    tenant.expense(TODAY, -500, vendor=None)
    tenant.expense(TODAY, -500, vendor="v", paid_on=TODAY)

    board = shown(engine)

    assert ins_and_outs(board) == {3: (0, 30), 5: (0, 80)}


def test_opening_balance_is_carried_to_yesterday(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, cash_balance="1000.004", cash_balance_on=TODAY - 3 * DAY)
    tenant.payment(TODAY - 3 * DAY, 7)
    tenant.payment(TODAY - 2 * DAY, 50)
    tenant.refund(YESTERDAY, 20)
    tenant.expense(YESTERDAY, 5, paid_on=YESTERDAY)
    tenant.payment(TODAY, 9)
    tenant.payment(YESTERDAY, 4, currency="EUR")
    tenant.expense(TODAY, 100, due_date=TODAY + DAY)

    board = shown(engine)

    assert board.opening_balance == Decimal("1025.00")
    assert end_of(board) == 925
    assert left_out(board, "cash_forecast") == {"EUR": (4, 1)}


def test_balance_told_of_today_loses_what_moved_today(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db, cash_balance=1000, cash_balance_on=TODAY)
    tenant.payment(TODAY, 50)

    assert shown(engine).opening_balance == 950


@pytest.mark.parametrize("columns", [{}, {"cash_balance": 5}, {"cash_balance_on": TODAY}])
def test_without_a_balance_and_its_day_there_is_none(db: Db, engine: Engine, columns: Mapping[str, Any]) -> None:
    add_tenant(db, **columns).expense(TODAY, 100)

    board = shown(engine)

    assert (board.opening_balance, end_of(board)) == (None, -100)


# --- Nothing is left out in silence ---------------------------------------------------------------------------------


def test_what_has_no_rate_is_listed_wherever_it_is_missing(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    for client, currency, total, ahead in (("a", "USD", 100, 28), ("b", "GBP", 5000, 28)):
        tenant.quote(
            "sent", TODAY - 2 * DAY, total, client_id=client, currency=currency, expiry_date=TODAY + ahead * DAY
        )
    tenant.payment(TODAY - 4 * DAY, 50, client_id="a")
    tenant.payment(TODAY - 4 * DAY, 500, client_id="b", currency="GBP")
    tenant.invoice(TODAY - 10 * DAY, 1000, client_id="a", due_date=TODAY + 20 * DAY, balance=0)
    tenant.invoice(TODAY - 10 * DAY, 9000, client_id="b", due_date=TODAY + 5 * DAY, balance=9000, currency="GBP")
    tenant.expense(TODAY - 9 * DAY, 1, category="Postage")
    tenant.expense(TODAY - 9 * DAY, 5000, category="Rent", currency="GBP", due_date=TODAY + 6 * DAY)
    tenant.recurring(TODAY + 8 * DAY, 700, kind="expense", currency="GBP")

    board = shown(engine)

    assert ins_and_outs(board) == {0: (0, 1), 5: (None, 0), 6: (0, None), 8: (0, None)}
    assert left_out(board, "cash_forecast") == {"GBP": (9000 - 5000 - 700, 3)}
    assert board.receivables.outstanding is None
    assert (board.quotes.open_count, board.quotes.open_amount) == (2, 100)
    assert left_out(board, "quotes") == {"GBP": (5000, 1)}
    assert {client.share for client in board.top_clients} == {None}
    assert [client.revenue for client in board.top_clients] == [1000, None]
    assert left_out(board, "top_clients") == {"GBP": (9000, 1)}
    assert [(row.category, row.amount, row.share) for row in board.expense_categories] == [
        ("Postage", 1, None),
        ("Rent", None, None),
    ]
    assert left_out(board, "series") == {"GBP": (9000 + 5000 + 500, 3)}
    assert (board.receivables.dso_days, board.receivables.customer_credit) == (None, None)
    for name in ("profitability", "cash", "collections"):
        component = board.score.components[name]
        assert (component.points, component.lacking) == (None, {"GBP"})
    assert board.missing_rates == {"GBP": TODAY - 10 * DAY}


def test_invoice_without_rate_that_comes_in_pieces_is_one_document(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    invoice = tenant.invoice(TODAY, 100, currency="GBP", due_date=TODAY + 9 * DAY)
    for ahead in (2, 40):
        tenant.payment(TODAY + ahead * DAY, 30, currency="GBP", on={invoice: 30})

    board = shown(engine)

    # 30 in two days and the last 40 when due; the 30 in between are announced for a day beyond the forecast.
    assert ins_and_outs(board) == {2: (None, 0), 9: (None, 0)}
    assert left_out(board, "cash_forecast") == {"GBP": (70, 1)}


def test_sums_known_in_part_show_that_part_and_name_the_rest(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.payment(TODAY, 50, client_id="a")
    tenant.payment(TODAY, 500, client_id="b", currency="GBP")
    tenant.refund(TODAY, 30, client_id="b", currency="GBP")
    tenant.invoice(TODAY - 40 * DAY, 10, currency="GBP", client_id="b", due_date=TODAY - 5 * DAY)
    tenant.invoice(TODAY - 40 * DAY, 20, client_id="a", due_date=TODAY - 5 * DAY)

    board = shown(engine)

    assert board.receivables.customer_credit == 50
    assert left_out(board, "customer_credit") == {"GBP": (470, 2)}
    debtors = [(row.client_id, row.overdue, row.outstanding, row.invoices) for row in board.receivables.debtors]
    assert debtors == [("a", 20, 20, 1), ("b", None, None, 1)]
    collections = board.score.components["collections"]
    assert (collections.points, collections.lacking) == (None, {"GBP"})


def test_percent_of_what_is_known_in_part_is_none(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY, 200)
    tenant.invoice(YESTERDAY, 100)
    tenant.expense(TODAY, 50)
    tenant.expense(YESTERDAY, 20)
    tenant.expense(YESTERDAY, 5, currency="GBP")

    metrics = shown(engine).metrics

    assert metrics[REVENUE].change_percent == 100
    assert (metrics[EXPENSES].change, metrics[EXPENSES].change_percent) == (30, None)
    assert (metrics[PROFIT].change, metrics[PROFIT].change_percent) == (70, None)


@pytest.mark.parametrize(("percent", "unknown", "fires"), [(None, True, True), (50, True, False), (50, False, True)])
def test_rise_of_unknown_size_reaches_no_threshold(
    db: Db, engine: Engine, percent: int | None, unknown: bool, fires: bool
) -> None:
    tenant = add_tenant(db)
    for ago in range(2, 28):
        tenant.invoice(TODAY - ago * DAY, 100, balance=0)
    tenant.invoice(TODAY, 300, balance=0)
    tenant.invoice(YESTERDAY, 100, balance=0)
    if unknown:
        tenant.invoice(YESTERDAY, 1, balance=0, currency="GBP")
    if percent is not None:
        tenant.insert("threshold", {"rule": "revenue_growth", "value": percent})

    assert (("success", REVENUE) in shown(engine, EVENING).alerts) is fires


def test_currency_is_missed_from_the_first_day_that_needed_it(db: Db, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.rate("GBP", TODAY - 40 * DAY, "1.3")
    for ago in (35, 32, 20, 3):
        tenant.invoice(TODAY - ago * DAY, 10, currency="GBP", balance=0)
    tenant.invoice(TODAY - 25 * DAY, 10, currency="EUR", base_rate="1.1", balance=0)
    tenant.invoice(TODAY - 200 * DAY, 10, currency="CHF", balance=0)

    # The rate of 40 days ago still serves 35 days ago, not 32; the document in EUR has its own, and CHF is not shown.
    assert shown(engine).missing_rates == {"GBP": TODAY - 32 * DAY}


# --- A payment in one currency for an invoice in another ------------------------------------------------------------


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


# --- Decided on what is shown ---------------------------------------------------------------------------------------


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


# --- A refund of a credit note --------------------------------------------------------------------------------------


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
