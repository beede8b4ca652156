"""The forecast knows what the tables know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from shared.snapshot import OVERDUE
from tests.integration.number_cases.board import DAY, TODAY, YESTERDAY, Db, end_of, ins_and_outs, left_out, shown
from tests.rows import add_tenant


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
