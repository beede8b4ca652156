"""The tenant's clock: which local day it is, and between which instants it lies."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from workers.facts import Clock


def zone(name: str | None) -> ZoneInfo | None:
    """The time zone of that name; None when there is none."""
    try:
        # A name may be anything a text column holds: an absolute path, a directory of the zone database, a NUL byte.
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def clock(now: datetime, where: ZoneInfo) -> Clock:
    """The local day that holds `now` (aware): 23, 24 or 25 hours from its first instant to the next day's."""
    today = now.astimezone(where).date()
    return Clock(
        as_of=now.astimezone(UTC),
        today=today,
        day_start=first_instant(today, where),
        day_end=first_instant(today + timedelta(days=1), where),
    )


def first_instant(day: date, where: ZoneInfo) -> datetime:
    """When `day` begins: midnight, the first of two, or where clocks jump over midnight the instant of the jump."""
    midnight = datetime.combine(day, time.min, where)
    late = midnight.astimezone(UTC)
    early = midnight.replace(fold=1).astimezone(UTC)
    # Only a midnight that does not exist reads earlier with fold=1; the jump lies between the readings (PEP 495).
    while early < late:
        middle = early + (late - early) // 2
        if middle.astimezone(where).date() < day:
            early = middle + timedelta(microseconds=1)
        else:
            late = middle
    return late
