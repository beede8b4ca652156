"""The day on which tests write their rows, and the minutes in which none begins."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

# Longer than a test takes from its first row to its last look at the numbers of that day.
NEEDED = timedelta(minutes=2)


def today() -> date:
    """Today where the tests' tenants live."""
    return datetime.now(UTC).date()


def wait_out_midnight() -> None:
    """Return at once, or just before midnight (UTC) when the next day has begun: what a test calls today stays today."""
    day = (datetime.now(UTC) + NEEDED).date()
    while today() < day:
        time.sleep(0.1)
