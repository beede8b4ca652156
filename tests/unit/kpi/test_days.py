"""Local days: windows, and days of 23 and 25 hours. SPEC 4, rule 1."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.unit.kpi.given import clock
from workers.facts import Clock
from workers.kpi.days import Period, complete, elapsed_share, trailing, yesterday

DAY = date(2026, 3, 11)


def test_trailing_days_include_today_and_complete_days_end_yesterday() -> None:
    assert trailing(DAY, 28) == Period(date(2026, 2, 12), DAY)
    assert complete(DAY, 30) == Period(date(2026, 2, 9), date(2026, 3, 10))
    assert len(complete(DAY, 30).days()) == len(trailing(DAY, 30).days()) == 30


def test_the_30_days_before_end_where_the_30_complete_days_begin() -> None:
    before, now = complete(DAY, 30, skip_days=30), complete(DAY, 30)
    assert before.last + timedelta(days=1) == now.first
    assert before.first in before
    assert before.last in before
    assert now.first not in before
    assert yesterday(DAY) == now.last


@pytest.mark.parametrize(
    ("zone", "day", "hour", "share"),
    [
        ("America/New_York", date(2026, 3, 11), 6, Decimal(6) / 24),
        # 8 March 2026 has 23 h: the clock shows 3 after 2 hours.
        ("America/New_York", date(2026, 3, 8), 3, Decimal(2) / 23),
        ("America/New_York", date(2026, 3, 8), 12, Decimal(11) / 23),
        # 1 November has 25 h.
        ("America/New_York", date(2026, 11, 1), 12, Decimal(13) / 25),
        ("Pacific/Tongatapu", date(2026, 3, 11), 1, Decimal(1) / 24),
    ],
)
def test_the_share_of_the_day_counts_real_hours(zone: str, day: date, hour: int, share: Decimal) -> None:
    assert elapsed_share(clock(day, zone=zone, hour=hour)) == share


def test_a_day_without_midnight_begins_at_one() -> None:
    """Santiago's 6 September 2026 runs from 01:00 to midnight: 23 h, of which 11 have passed at noon."""
    zone = ZoneInfo("America/Santiago")
    start = datetime(2026, 9, 6, 1, tzinfo=zone)
    noon = datetime(2026, 9, 6, 12, tzinfo=zone)
    end = datetime(2026, 9, 7, tzinfo=zone)
    assert elapsed_share(Clock(as_of=noon, today=start.date(), day_start=start, day_end=end)) == Decimal(11) / 23


@pytest.mark.parametrize(("offset_h", "share"), [(-1, 0), (0, 0), (24, 1), (25, 1)])
def test_the_share_stays_within_the_day(offset_h: int, share: int) -> None:
    start = datetime(2026, 3, 11, tzinfo=UTC)
    moment = start + timedelta(hours=offset_h)
    at = Clock(as_of=moment, today=DAY, day_start=start, day_end=start + timedelta(hours=24))
    assert elapsed_share(at) == share
