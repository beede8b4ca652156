"""The token bucket that bounds a socket's messages."""

from __future__ import annotations

import pytest

from web.api import bucket as module
from web.api.bucket import TokenBucket


class Clock:
    """Stands in for the module `time`."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_a_burst_passes_then_the_rate_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    bucket = TokenBucket("120/minute", burst=30)

    assert [bucket.take() for _ in range(31)] == [True] * 30 + [False]
    clock.now += 1.0  # two tokens
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    clock.now += 3600
    assert [bucket.take() for _ in range(31)] == [True] * 30 + [False]
