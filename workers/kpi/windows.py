"""The periods that an owner asks about, and the ones before them. Source: SPEC 4, Overview blocks."""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from workers.kpi.days import Period

MONTHS = 24
# The flows of a load reach so many days back; what is older is kept.
LIVE_DAYS = 60
# Tenants of one day and fiscal year have the same windows: twelve years in each of a few days, and some for late ones.
MOST_CALENDARS = 500
_ONE_DAY = timedelta(days=1)

Span = tuple[int, int]
"""Stretches of a calendar, from the first of these places up to the other."""


@dataclass(frozen=True, slots=True)
class Window:
    """A period by its name, and the one that it is compared with (none: a month of the list)."""

    name: str
    period: Period
    previous: Period | None

    def edges(self) -> Iterator[date]:
        """The days on which one of the two begins, or has just ended."""
        for period in (self.period, self.previous):
            if period is not None:
                yield period.first
                yield period.last + _ONE_DAY


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calendar:
    """All windows of a day, and the stretches of days between their edges, of which each of them is made.

    named: by name, the period and the one before it; months: by name, the newest first. first_live: the place of the stretch
    that holds the first of the live days, which the flows of a load reach; what ends where it begins consists of kept days
    alone, as do all but the first live_months of the months. live_edges: how many live days come before each of the edges
    after that place.
    """

    edges: Sequence[date]
    named: Sequence[tuple[str, tuple[Period, Span], tuple[Period, Span]]]
    months: Sequence[tuple[str, tuple[Period, Span]]]
    first_live: int
    live_months: int
    live_edges: Sequence[int]

    def place(self, day: date) -> int:
        """Which stretch holds the day; below 0 when it is older than all of them."""
        return bisect_right(self.edges, day) - 1


def first_live_day(today: date) -> date:
    """The first day that the flows of a load reach."""
    return today - timedelta(days=LIVE_DAYS)


@lru_cache(maxsize=MOST_CALENDARS)
def live_days(today: date) -> Sequence[date]:
    """Those days, in order, up to today."""
    return Period(first_live_day(today), today).days()


@lru_cache(maxsize=MOST_CALENDARS)
def named_windows(today: date, fiscal_year_start_month: int) -> tuple[Window, ...]:
    """The eleven periods, in their order."""
    month, year = today.replace(day=1), _fiscal_year(today, fiscal_year_start_month)
    quarter = _plus_months(year, _months_between(year, today) // 3 * 3)
    monday = today - timedelta(days=today.weekday())
    yesterday = today - _ONE_DAY
    year_ago, two_years_ago = _years_before(today, 1), _years_before(today, 2)
    return (
        Window("today", Period(today, today), Period(yesterday, yesterday)),
        Window("yesterday", Period(yesterday, yesterday), Period(yesterday - _ONE_DAY, yesterday - _ONE_DAY)),
        _to_date("week_to_date", monday, today, monday - timedelta(days=7)),
        _to_date("month_to_date", month, today, _plus_months(month, -1)),
        _whole("last_month", _plus_months(month, -1), 1),
        _to_date("quarter_to_date", quarter, today, _plus_months(quarter, -3)),
        _whole("last_quarter", _plus_months(quarter, -3), 3),
        _to_date("fiscal_year_to_date", year, today, _plus_months(year, -12)),
        _whole("last_fiscal_year", _plus_months(year, -12), 12),
        Window(
            "last_30_days",
            Period(today - timedelta(days=29), today),
            Period(today - timedelta(days=59), today - timedelta(days=30)),
        ),
        Window(
            "last_12_months",
            Period(year_ago + _ONE_DAY, today),
            Period(two_years_ago + _ONE_DAY, year_ago),
        ),
    )


@lru_cache(maxsize=MOST_CALENDARS)
def months(today: date) -> tuple[Window, ...]:
    """This month to date and the 23 before it, the newest first."""
    first = today.replace(day=1)
    starts = [_plus_months(first, -ago) for ago in range(MONTHS)]
    return tuple(
        Window(start.isoformat()[:7], Period(start, min(today, _plus_months(start, 1) - _ONE_DAY)), None)
        for start in starts
    )


@lru_cache(maxsize=MOST_CALENDARS)
def edges(today: date, fiscal_year_start_month: int) -> tuple[date, ...]:
    """The days that divide all of them, in order: no window begins or ends between two of these."""
    windows = named_windows(today, fiscal_year_start_month) + months(today)
    return tuple(sorted({day for window in windows for day in window.edges()}))


@lru_cache(maxsize=MOST_CALENDARS)
def calendar(today: date, fiscal_year_start_month: int) -> Calendar:
    """The windows of that day, as its tenants share them."""
    divided_at = edges(today, fiscal_year_start_month)
    places = {day: place for place, day in enumerate(divided_at)}
    live = first_live_day(today)
    first_live = bisect_right(divided_at, live) - 1

    def with_span(period: Period) -> tuple[Period, Span]:
        return period, (places[period.first], places[period.last + _ONE_DAY])

    listed = tuple((window.name, with_span(window.period)) for window in months(today))
    return Calendar(
        edges=divided_at,
        named=tuple(
            (window.name, with_span(window.period), with_span(window.previous))
            for window in named_windows(today, fiscal_year_start_month)
            if window.previous is not None
        ),
        months=listed,
        first_live=first_live,
        live_months=sum(end > first_live for _, (_, (_, end)) in listed),
        live_edges=tuple((edge - live).days for edge in divided_at[first_live + 1 :]),
    )


def _to_date(name: str, first: date, today: date, before: date) -> Window:
    """Compared with as many days of the one before, which ends where this one begins."""
    last = min(before + (today - first), first - _ONE_DAY)
    return Window(name, Period(first, today), Period(before, last))


def _whole(name: str, first: date, length_months: int) -> Window:
    last = _plus_months(first, length_months) - _ONE_DAY
    return Window(name, Period(first, last), Period(_plus_months(first, -length_months), first - _ONE_DAY))


def _fiscal_year(today: date, start_month: int) -> date:
    first = today.replace(month=start_month, day=1)
    return first if first <= today else first.replace(year=first.year - 1)


def _months_between(first: date, last: date) -> int:
    return (last.year - first.year) * 12 + last.month - first.month


def _plus_months(first: date, count: int) -> date:
    year, month = divmod(first.year * 12 + first.month - 1 + count, 12)
    return date(year, month + 1, 1)


def _years_before(today: date, years: int) -> date:
    """The same date so many years ago; of a 29 February the 28th."""
    year = today.year - years
    return today.replace(year=year, day=min(today.day, monthrange(year, today.month)[1]))
