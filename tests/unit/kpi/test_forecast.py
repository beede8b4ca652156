"""The cash of the coming 30 days. SPEC 6, cash_forecast."""

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
    open_invoice,
    payable,
    template,
)
from workers.facts import TenantFacts
from workers.kpi.days import Period
from workers.kpi.forecast import occurrences


def ahead(days: int) -> date:
    return TODAY + timedelta(days=days)


def movements(given: TenantFacts) -> dict[int, tuple[Decimal, Decimal]]:
    """(in, out) by days from today, days without movement left out."""
    days = computed(given).overview.cash_forecast
    assert [day.date for day in days] == [ahead(number) for number in range(30)]
    return {(day.date - TODAY).days: (day.inflow, day.outflow) for day in days if day.inflow or day.outflow}


def test_open_invoices_come_in_and_payables_go_out_when_due() -> None:
    given = facts(
        open_invoices=(
            open_invoice("100", due_on=TODAY),
            open_invoice("50", due_on=ahead(29)),
            open_invoice("7", due_on=ahead(30)),
            open_invoice("1000", bucket="1-30"),
            open_invoice("9", bucket="1-30", due_on=YESTERDAY),
            open_invoice("5"),
        ),
        payables=(payable(TODAY, "30"), payable(ahead(5), "20"), payable(ahead(30), "1000")),
    )
    assert movements(given) == {0: (D(100), D(30)), 5: (D(0), D(20)), 29: (D(50), D(0))}


def test_the_running_sum_starts_today() -> None:
    given = facts(open_invoices=(open_invoice("100", due_on=ahead(1)),), payables=(payable(TODAY, "30.005"),))
    days = computed(given).overview.cash_forecast
    assert [day.cumulative for day in days[:3]] == [D("-30.01"), D("70.00"), D("70.00")]


def test_balances_are_converted_at_todays_rate_and_left_out_without_one() -> None:
    given = facts(
        open_invoices=(
            open_invoice("100", due_on=TODAY, currency="EUR", own_base="1"),
            open_invoice("100", due_on=TODAY, currency="GBP", own_base="130"),
            open_invoice("100", due_on=TODAY, currency="JPY"),
        ),
        payables=(payable(TODAY, "10", currency="EUR"), payable(TODAY, "10", currency="JPY")),
        recurring=(template(TODAY, "1", currency="EUR"), template(TODAY, "1", currency="JPY")),
        rates={("EUR", TODAY): D("1.10")},
    )
    assert movements(given) == {0: (D(240), D("12.10"))}


def test_a_recurring_invoice_brings_its_cash_when_its_terms_are_over() -> None:
    given = facts(recurring=(template(ahead(3), kind="invoice", terms_days=14),))
    assert movements(given) == {17: (D(100), D(0))}


def test_what_was_due_before_today_is_no_occurrence_any_more() -> None:
    """Next on yesterday with terms of 14 days: that occurrence is a document by now, or was given up."""
    given = facts(recurring=(template(YESTERDAY, kind="invoice", terms_days=14, interval_unit="year"),))
    assert movements(given) == {}


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
