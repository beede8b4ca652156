"""The tenant's local day: its date and its two ends, through every kind of clock change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from workers.source.clock import clock, first_instant, zone

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("where", "now", "today", "hours"),
    [
        ("UTC", "2026-03-11T00:00", date(2026, 3, 11), 24),
        ("UTC", "2026-03-10T23:59", date(2026, 3, 10), 24),
        ("Pacific/Tongatapu", "2026-03-10T11:00", date(2026, 3, 11), 24),  # UTC+13
        ("Pacific/Kiritimati", "2026-03-10T10:00", date(2026, 3, 11), 24),  # UTC+14
        ("Pacific/Pago_Pago", "2026-03-11T10:59", date(2026, 3, 10), 24),  # UTC-11
        ("America/New_York", "2026-03-08T12:00", date(2026, 3, 8), 23),
        ("America/New_York", "2026-11-01T12:00", date(2026, 11, 1), 25),
        ("America/New_York", "2026-11-02T04:59", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", "2026-10-04T00:00", date(2026, 10, 4), 23.5),  # half an hour of summer time
        ("America/Santiago", "2026-09-06T12:00", date(2026, 9, 6), 23),  # 00:00 does not exist
        ("America/Santiago", "2026-09-06T03:59", date(2026, 9, 5), 24),
        ("America/Havana", "2026-11-01T12:00", date(2026, 11, 1), 25),  # 00:00 happens twice
        ("America/Toronto", "1919-03-31T12:00", date(1919, 3, 31), 23.5),  # 23:30 on the 30th was followed by 00:30
        ("Pacific/Apia", "2011-12-30T09:00", date(2011, 12, 29), 24),  # the 30th did not exist
        ("Pacific/Apia", "2011-12-30T10:00", date(2011, 12, 31), 24),
    ],
)
def test_the_local_day_has_the_date_and_the_hours_that_its_zone_gives_it(
    where: str, now: str, today: date, hours: float
) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = clock(moment, ZoneInfo(where))
    assert found.today == today
    assert found.day_start <= moment < found.day_end
    assert found.day_end - found.day_start == hours * HOUR
    assert found.day_start.tzinfo is UTC
    assert found.as_of == moment


@pytest.mark.parametrize(
    "where", ["America/Santiago", "America/Toronto", "America/Havana", "Asia/Beirut", "Asia/Tokyo"]
)
def test_a_day_begins_at_the_first_instant_of_its_date(where: str) -> None:
    place, just_before = ZoneInfo(where), timedelta(microseconds=1)
    for year in (1919, 2026):
        for number in range(365):
            day = date(year, 1, 1) + timedelta(days=number)
            start = first_instant(day, place)
            assert start.astimezone(place).date() == day
            assert (start - just_before).astimezone(place).date() == day - timedelta(days=1)


@pytest.mark.parametrize(
    "name",
    [None, "", "Mars/Olympus", "America", "../UTC", "/etc/localtime", "UTC\0", "a" * 5000, "Zürich", "tzdata.zi"],
)
def test_a_zone_that_does_not_exist_is_none(name: str | None) -> None:
    assert zone(name) is None


def test_a_zone_that_exists_is_found() -> None:
    found = zone("Europe/Berlin")
    assert found is not None
    assert found.key == "Europe/Berlin"
