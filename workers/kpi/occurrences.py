"""On which days a recurring template falls. Source: SPEC 4, Overview blocks."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date

from workers.facts import Recurring
from workers.kpi.days import Period

_UNIT_DAYS = {"day": 1, "week": 7}
_UNIT_MONTHS = {"month": 1, "year": 12}


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
