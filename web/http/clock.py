"""The wall clock as clients see it; durations are measured on the monotonic clock instead."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.snapshot import Instant, instant


def now() -> Instant:
    """This moment."""
    return instant(datetime.now(UTC))


def from_epoch_s(moment_s: float) -> Instant:
    """Seconds since 1970 as a moment."""
    return instant(datetime.fromtimestamp(moment_s, UTC))
