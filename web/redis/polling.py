"""Ask again until there is an answer: for what a worker leaves in Redis without a word to this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

# What is made at once is found at once; who waits longer asks less often.
FIRST_S = 0.005
# An answer waits for the next look by a sixth of its time at most.
GROWTH = 1.2
POLL_S = 0.05

T = TypeVar("T")


def poll(look: Callable[[], T], *, within_s: float) -> T:
    """What `look` finds first; None when it found nothing in that time. What it raises ends the wait."""
    deadline, pause_s = time.monotonic() + within_s, FIRST_S
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(pause_s)
        pause_s = min(GROWTH * pause_s, POLL_S)
    return found
