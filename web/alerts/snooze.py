"""Until when an alert is put off: by minutes or by a moment, exactly one of them. Source: SPEC 6 and 7."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec import UNSET, UnsetType

from shared.alerts import LONGEST_SNOOZE

LONGEST_MINUTES = LONGEST_SNOOZE // timedelta(minutes=1)


def snoozed_until(minutes: int | UnsetType, until: datetime | UnsetType, *, now: datetime) -> datetime:
    """The moment in UTC (`now` and `until` are aware); raises ValueError that says what would be right."""
    if (minutes is UNSET) == (until is UNSET):
        raise ValueError("give exactly one of minutes and until")
    if not isinstance(minutes, UnsetType):
        if not 1 <= minutes <= LONGEST_MINUTES:
            raise ValueError(f"minutes is from 1 to {LONGEST_MINUTES}")
        return now + timedelta(minutes=minutes)
    assert isinstance(until, datetime)  # noqa: S101 (for the type checker)
    if not now < until <= now + LONGEST_SNOOZE:
        raise ValueError(f"until is in the future, at most {LONGEST_SNOOZE.days} days from now")
    return until.astimezone(UTC)
