"""Windows of local days, and how much of today has passed. Source: SPEC 4, rule 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from functools import lru_cache

from workers.facts import Clock

# All tenants of a day ask for the same few.
MOST_PERIODS = 100
_ONE_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Local days from `first` to `last`, both included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def days(self) -> Sequence[date]:
        """Every day of the period, in order."""
        return _days(self.first, self.last)


@lru_cache(maxsize=MOST_PERIODS)
def _days(first: date, last: date) -> Sequence[date]:
    return tuple(date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1))


@lru_cache(maxsize=MOST_PERIODS)
def trailing(today: date, length_days: int) -> Period:
    """The days that end with today, today included."""
    return Period(today - timedelta(days=length_days - 1), today)


@lru_cache(maxsize=MOST_PERIODS)
def complete(today: date, length_days: int, *, skip_days: int = 0) -> Period:
    """Complete days: those that end yesterday, or `skip_days` before that."""
    last = today - _ONE_DAY - timedelta(days=skip_days)
    return Period(last - timedelta(days=length_days - 1), last)


def yesterday(today: date) -> date:
    """The local date before, whatever the clocks did in the night."""
    return today - _ONE_DAY


def elapsed_share(clock: Clock) -> Decimal:
    """Share 0..1 of the local day that has passed; the day has 23, 24 or 25 hours."""
    # Two moments of one zone subtract as wall clocks do, without the hour that the zone skipped: compare in UTC.
    start, end, now = (moment.astimezone(UTC) for moment in (clock.day_start, clock.day_end, clock.as_of))
    length = (end - start) // _MICROSECOND
    return Decimal(min(max((now - start) // _MICROSECOND, 0), length)) / length
