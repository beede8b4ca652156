"""A pytest plugin (`-p tests.clocks.travel`): this process, and none that it starts, lives at TRAVEL_TO."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
import time_machine

from tests.clocks import TRAVEL_TO

# Before the first test module is imported: some look at the clock then. It goes on from there.
_journey = time_machine.travel(datetime.fromisoformat(os.environ[TRAVEL_TO]).replace(tzinfo=UTC), tick=True)
_journey.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Back home."""
    _journey.stop()
