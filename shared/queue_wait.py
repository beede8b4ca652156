"""How long a task waited in its queue: whoever sends it says when, in the message's headers."""

from __future__ import annotations

import time
from typing import Any

QUEUED_MS = "queued_ms"


def stamp(headers: dict[str, Any] | None = None, **_: object) -> None:
    """To be connected to Celery's before_task_publish: a retry is queued anew and says so."""
    if headers is not None:
        headers[QUEUED_MS] = time.time_ns() // 1_000_000


def waited_ms(request: Any) -> int | None:
    """Milliseconds from queueing a task until now, from its request; None where nobody said when it was queued.

    Two machines' clocks are compared: never below 0.
    """
    queued_ms = request.get(QUEUED_MS)
    return max(0, time.time_ns() // 1_000_000 - queued_ms) if isinstance(queued_ms, int) else None
