"""The cash of the coming 30 days: open invoices and unpaid expenses when due, recurring templates when next on.

What cannot be converted at today's rate is left out. Source: SPEC 6, cash_forecast.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from shared.snapshot import ForecastDay
from workers.facts import Recurring, TenantFacts
from workers.kpi.days import Period
from workers.kpi.money import ZERO, Converter, money

FORECAST_DAYS = 30
_UNIT_DAYS = {"day": 1, "week": 7}
_UNIT_MONTHS = {"month": 1, "year": 12}


def cash_forecast(facts: TenantFacts, converter: Converter) -> tuple[ForecastDay, ...]:
    """Thirty days from today, with the running sum. Raises ValueError for an amount that is no number."""
    today = facts.clock.today
    period = Period(today, today + timedelta(days=FORECAST_DAYS - 1))
    inflow = dict.fromkeys(period.days(), ZERO)
    outflow = dict(inflow)
    for day, amount in _incoming(facts, converter, period):
        inflow[day] += amount
    for day, amount in _outgoing(facts, converter, period):
        outflow[day] += amount
    return tuple(_with_running_sum(inflow, outflow, converter.base))


def _with_running_sum(
    inflow: dict[date, Decimal], outflow: dict[date, Decimal], currency: str
) -> Iterator[ForecastDay]:
    cumulative = ZERO
    for day in inflow:
        cumulative += inflow[day] - outflow[day]
        yield ForecastDay(
            date=day,
            inflow=money(inflow[day], currency),
            outflow=money(outflow[day], currency),
            cumulative=money(cumulative, currency),
        )


def _incoming(facts: TenantFacts, converter: Converter, period: Period) -> Iterator[tuple[date, Decimal]]:
    for group in facts.open_invoices:
        # What is overdue already comes on no day that anybody could name.
        if group.due_on is not None and group.due_on in period:
            converted = converter.balance(group.amount, group.currency, group.own_base)
            if converted is not None:
                yield group.due_on, converted
    yield from _recurring(facts, converter, period, "invoice")


def _outgoing(facts: TenantFacts, converter: Converter, period: Period) -> Iterator[tuple[date, Decimal]]:
    for group in facts.payables:
        if group.due_on in period:
            converted = converter.balance(group.amount, group.currency, group.own_base)
            if converted is not None:
                yield group.due_on, converted
    yield from _recurring(facts, converter, period, "expense")


def _recurring(facts: TenantFacts, converter: Converter, period: Period, kind: str) -> Iterator[tuple[date, Decimal]]:
    for template in facts.recurring:
        if template.kind != kind:
            continue
        converted = converter.balance(template.amount, template.currency)
        if converted is None:
            continue
        delay = timedelta(days=template.terms_days if template.kind == "invoice" else 0)
        for occurrence in occurrences(template, period):
            if occurrence + delay in period:
                yield occurrence + delay, converted


def occurrences(template: Recurring, period: Period) -> Iterator[date]:
    """The template's days within the period, from `next_on` on, `ends_on` included.

    Months and years step from the day of `next_on`: the 31st is the 30th in June, and the 31st again in July.
    Raises ValueError for an interval that does not step forward.
    """
    if template.interval_count < 1:
        raise ValueError(f"not an interval: {template.interval_count} {template.interval_unit}")
    last = period.last if template.ends_on is None else min(period.last, template.ends_on)
    if template.next_on > last:
        return
    steps = (
        _by_days(template, period, last) if template.interval_unit in _UNIT_DAYS else _by_months(template, period, last)
    )
    yield from (day for day in steps if period.first <= day <= last)


def _by_days(template: Recurring, period: Period, last: date) -> Iterator[date]:
    # Numbers of days and months instead of dates: a step of a million years is no error, it just never comes.
    step = _UNIT_DAYS[template.interval_unit] * template.interval_count
    start = template.next_on.toordinal()
    skipped = max(0, (period.first.toordinal() - start) // step)
    for number in range(start + skipped * step, last.toordinal() + 1, step):
        yield date.fromordinal(number)


def _by_months(template: Recurring, period: Period, last: date) -> Iterator[date]:
    step = _UNIT_MONTHS[template.interval_unit] * template.interval_count
    start = _month_number(template.next_on)
    skipped = max(0, (_month_number(period.first) - start) // step)
    for number in range(start + skipped * step, _month_number(last) + 1, step):
        year, month = number // 12, number % 12 + 1
        yield date(year, month, min(template.next_on.day, monthrange(year, month)[1]))


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1
