"""Ask again until there is an answer: for what a worker leaves in Redis without a word to this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

POLL_S = 0.05

T = TypeVar("T")


def poll(look: Callable[[], T], *, within_s: float) -> T:
    """What `look` finds first; None when it found nothing in that time. What it raises ends the wait."""
    deadline = time.monotonic() + within_s
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return found
