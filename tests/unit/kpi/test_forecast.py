"""The cash of the coming 30 days. SPEC 4, Overview blocks."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given as holds_for
from hypothesis import strategies as st

from tests.unit.kpi.given import (
    TODAY,
    YESTERDAY,
    D,
    ago,
    clock,
    computed,
    facts,
    incoming,
    open_invoice,
    payable,
    template,
    tenant,
)
from workers.facts import CashSinceGroup, Recurring, TenantFacts
from workers.kpi.days import Period
from workers.kpi.occurrences import occurrences


def ahead(days: int) -> date:
    return TODAY + timedelta(days=days)


def movements(given: TenantFacts) -> dict[int, tuple[Decimal | None, Decimal | None]]:
    """(in, out) by days from today, days without movement left out."""
    days = computed(given).overview.cash_forecast
    assert [day.date for day in days] == [ahead(number) for number in range(30)]
    return {(day.date - TODAY).days: (day.inflow, day.outflow) for day in days if day.inflow or day.outflow}


def test_money_comes_in_and_goes_out_on_the_days_that_are_known() -> None:
    given = facts(
        # Overdue ones are in no day.
        open_invoices=(open_invoice("1000", bucket="1-30"),),
        incoming=(incoming(TODAY, "100"), incoming(ahead(29), "50")),
        payables=(payable(TODAY, "30"), payable(ahead(5), "20")),
    )
    assert movements(given) == {0: (D(100), D(30)), 5: (D(0), D(20)), 29: (D(50), D(0))}


def test_the_running_sum_starts_today_at_nothing() -> None:
    given = facts(incoming=(incoming(ahead(1), "100"),), payables=(payable(TODAY, "30.01"),))
    overview = computed(given).overview
    assert overview.opening_balance is None
    assert [day.cumulative for day in overview.cash_forecast[:3]] == [D("-30.01"), D("69.99"), D("69.99")]


@pytest.mark.parametrize(
    ("balance", "on", "opening"),
    [
        ("500.00", ago(5), "435.00"),  # 500 + 40 − 105, the cash flow of the days after it
        ("500.00", TODAY, "565.00"),  # 500 less the cash flow of today
        ("500.00", ahead(3), "565.00"),
        ("500.00", None, None),
        (None, ago(5), None),
    ],
)
def test_with_a_cash_balance_the_running_sum_starts_from_it(
    balance: str | None, on: date | None, opening: str | None
) -> None:
    account = tenant(cash_balance=None if balance is None else D(balance), cash_balance_on=on)
    flow = (
        CashSinceGroup(no_rate=None, documents=1, amount=D(40)),
        CashSinceGroup(no_rate=None, documents=2, amount=D(-105)),
        CashSinceGroup(no_rate="GBP", documents=1, amount=D(7), since=ago(4)),
    )
    given = facts(tenant=account, cash_since=flow, payables=(payable(TODAY, "30"),))
    overview = computed(given).overview
    assert overview.opening_balance == (None if opening is None else D(opening))
    assert overview.cash_forecast[0].cumulative == D(opening or "0") - 30
    sign = -1 if on is not None and on >= TODAY else 1
    left = [(one.currency, one.amount) for one in overview.unconverted.cash_forecast]
    assert left == ([] if opening is None else [("GBP", D(7 * sign))])


def test_what_has_no_rate_is_listed_and_a_day_with_nothing_else_is_null() -> None:
    """In as it is, out with a minus, each occurrence of a template a document: 10 − 4 × 1 JPY in 30 days."""
    given = facts(
        incoming=(incoming(TODAY, "100"), incoming(TODAY, "10", no_rate="JPY"), incoming(ahead(2), "5", no_rate="GBP")),
        payables=(payable(ahead(3), "7", no_rate="GBP"), payable(ahead(3), "1")),
        recurring=(template(ahead(1), "1", currency="JPY", base=None, interval_unit="week"),),
    )
    overview = computed(given).overview
    days = overview.cash_forecast
    assert (days[0].inflow, days[1].outflow, days[2].inflow, days[3].outflow) == (D(100), None, None, D(1))
    # Nothing is not the same as unknown.
    assert (days[2].outflow, days[4].inflow) == (D(0), D(0))
    assert days[29].cumulative == D(99)
    left = [(one.currency, one.amount, one.documents) for one in overview.unconverted.cash_forecast]
    # JPY: 10 in, 1 on each of the days 1, 8, 15, 22, 29
    assert left == [("GBP", D(-2), 2), ("JPY", D(5), 6)]


def test_a_vendor_credit_lessens_what_the_same_vendor_is_owed_the_earliest_first() -> None:
    given = facts(
        payables=(
            payable(ahead(9), "100", vendor="v"),
            payable(ahead(2), "30", vendor="v"),
            payable(ahead(1), "40", vendor="w"),
            payable(ahead(1), "40"),
            payable(None, "-50", vendor="v"),
            payable(None, "-999", vendor="w"),
            payable(None, "-999"),  # of no vendor: it lessens nothing
            payable(None, "-8", vendor="v", no_rate="GBP"),
        )
    )
    # v: 50 − 30 = 20 left for the 100; w: never below 0
    assert movements(given) == {1: (D(0), D(40)), 9: (D(0), D(80))}
    left = computed(given).overview.unconverted.cash_forecast
    # It would have lessened what goes out.
    assert [(one.currency, one.amount, one.documents) for one in left] == [("GBP", D("8.00"), 1)]


def test_a_vendor_credit_in_base_units_does_not_lessen_what_has_no_rate() -> None:
    given = facts(payables=(payable(TODAY, "30", vendor="v", no_rate="GBP"), payable(None, "-50", vendor="v")))
    day = computed(given).overview.cash_forecast[0]
    assert (day.outflow, day.cumulative) == (None, D(0))


def test_a_recurring_invoice_brings_its_cash_when_its_terms_are_over() -> None:
    given = facts(recurring=(template(ahead(3), kind="invoice", terms_days=14),))
    assert movements(given) == {17: (D(100), D(0))}


@pytest.mark.parametrize(
    ("recurring", "expected"),
    [
        # A quarterly bill of three days ago was not made: it waits to be.
        (template(ago(3), "2000", interval_count=3), {0: (D(0), D(2000))}),
        # However many were missed, one comes today; the weekly ones go on.
        (template(ago(20), "5", interval_unit="week"), {day: (D(0), D(5)) for day in (0, 1, 8, 15, 22, 29)}),
        # Two on one day: the missed one and today's own.
        (template(ago(7), "5", interval_unit="week", ends_on=TODAY), {0: (D(0), D(10))}),
        # A document dated on or after an occurrence stands for it.
        (template(ago(3), newest_document=ago(3), interval_count=3), {}),
        (template(ago(3), newest_document=ago(4), interval_count=3), {0: (D(0), D(100))}),
        (template(ahead(5), "1000", newest_document=ahead(5)), {}),
        (template(ahead(5), interval_unit="week", newest_document=ahead(13)), {19: (D(0), D(100)), 26: (D(0), D(100))}),
        # It ended before the missed one.
        (template(ago(3), ends_on=ago(4)), {}),
        # A missed invoice is made today, and paid when its terms are over.
        (template(YESTERDAY, kind="invoice", terms_days=14, interval_unit="year"), {14: (D(100), D(0))}),
    ],
)
def test_what_was_missed_comes_today_and_what_has_its_document_does_not_come_again(
    recurring: Recurring, expected: dict[int, tuple[Decimal, Decimal]]
) -> None:
    assert movements(facts(recurring=(recurring,))) == expected


def test_terms_can_carry_the_cash_out_of_the_window() -> None:
    given = facts(recurring=(template(TODAY, kind="invoice", terms_days=30), template(ahead(29), terms_days=30)))
    # The second one is an expense: it is paid on its day.
    assert movements(given) == {29: (D(0), D(100))}


MARCH = Period(date(2026, 3, 1), date(2026, 3, 30))


@pytest.mark.parametrize(
    ("next_on", "unit", "count", "ends_on", "period", "expected"),
    [
        ("2026-03-29", "day", 1, None, MARCH, ["2026-03-29", "2026-03-30"]),
        ("2026-02-20", "day", 10, None, MARCH, ["2026-03-02", "2026-03-12", "2026-03-22"]),
        ("2026-03-05", "week", 2, None, MARCH, ["2026-03-05", "2026-03-19"]),
        ("1990-01-01", "week", 1, "2026-03-03", MARCH, ["2026-03-02"]),  # a Monday
        ("2026-03-31", "month", 1, None, MARCH, []),
        # The 31st: 28 February, 31 March, 30 April, 31 May
        ("2026-01-31", "month", 1, None, Period(date(2026, 2, 1), date(2026, 5, 31)),
         ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("2025-12-30", "month", 2, None, Period(date(2026, 2, 28), date(2026, 4, 30)), ["2026-02-28", "2026-04-30"]),
        ("2024-02-29", "year", 1, None, Period(date(2027, 2, 1), date(2028, 3, 1)), ["2027-02-28", "2028-02-29"]),
        ("2026-03-10", "month", 1, "2026-03-10", MARCH, ["2026-03-10"]),  # the last day is included
        ("2026-03-10", "month", 1, "2026-03-09", MARCH, []),
        ("2026-04-10", "month", 1, None, MARCH, []),
        # Intervals that leave the calendar
        ("2026-03-10", "year", 10**9, None, MARCH, ["2026-03-10"]),
        ("2026-03-10", "week", 10**9, None, MARCH, ["2026-03-10"]),
        ("9999-12-31", "month", 1, None, MARCH, []),
    ],
)  # fmt: skip
def test_occurrences_step_from_the_templates_own_day(
    next_on: str, unit: str, count: int, ends_on: str | None, period: Period, expected: list[str]
) -> None:
    end = None if ends_on is None else date.fromisoformat(ends_on)
    recurring = template(date.fromisoformat(next_on), interval_unit=unit, interval_count=count, ends_on=end)
    assert [day.isoformat() for day in occurrences(recurring, period)] == expected


@pytest.mark.parametrize("count", [0, -1])
def test_an_interval_that_does_not_step_forward_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="not an interval"):
        list(occurrences(template(TODAY, interval_count=count), MARCH))


@holds_for(
    st.dates(date(2020, 1, 1), date(2026, 4, 15)),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(1, 15),
)
def test_skipping_ahead_gives_what_stepping_one_by_one_gives(next_on: date, unit: str, count: int) -> None:
    recurring = template(next_on, interval_unit=unit, interval_count=count)
    whole = Period(next_on, MARCH.last)
    assert list(occurrences(recurring, MARCH)) == [day for day in occurrences(recurring, whole) if day in MARCH]


def test_a_template_is_no_document_and_counts_nowhere_else() -> None:
    given = facts(recurring=(template(TODAY, "1000"), template(TODAY, "1000", kind="invoice")))
    dashboard = computed(given)
    assert all(metric.value in (0, None) for metric in dashboard.snapshot.metrics)
    assert dashboard.overview.receivables.outstanding == 0


def test_the_forecast_starts_on_the_local_day() -> None:
    at = clock(ago(-3))
    assert computed(facts(at=at)).overview.cash_forecast[0].date == at.today
