"""Where the time of a row change goes, from the database to Redis: measured on the way, counted with the task's own counts.

The listener says in the task's message for how long its changes have been noted; the worker measures the rest. See
STAGE_SECONDS in shared/counters.py; what follows, from Redis to the client, is in web/live/stages.py.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from shared.counters import STAGE_SECONDS, Tally
from shared.queue_wait import waited_ms

NOTED_MS = "noted_ms"


def noted_header(tenant_ids: Sequence[str], noted_at: Mapping[str, float]) -> dict[str, list[int]]:
    """For the message of a task that is sent now: milliseconds since each tenant's oldest change was noted, of those that
    `noted_at` knows by time.monotonic()."""
    now = time.monotonic()
    noted_ms = [round(1000 * (now - noted_at[tenant_id])) for tenant_id in tenant_ids if tenant_id in noted_at]
    return {NOTED_MS: noted_ms} if noted_ms else {}


class Trace:
    """One task's stages; made when a worker takes it up."""

    def __init__(self, request: Any) -> None:
        """`request`: of the task."""
        self.queued_ms = waited_ms(request)
        self._noted_ms: Sequence[int] = request.get(NOTED_MS) or ()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._since = time.monotonic()

    def lap(self, stage: str) -> None:
        """Whatever was done since the last lap belongs to this stage; a task of several batches has it several times."""
        now = time.monotonic()
        self._seconds[stage] += now - self._since
        self._since = now

    def count(self, tally: Tally) -> None:
        """Add every stage, once for each tenant. A task that was not sent for changes brings nobody's change to a screen."""
        if not self._noted_ms:
            return
        for noted_ms in self._noted_ms:
            tally.observe(STAGE_SECONDS, max(0, noted_ms) / 1000, label="listen")
        queued = {} if self.queued_ms is None else {"queue": self.queued_ms / 1000}
        for stage, seconds in (queued | self._seconds).items():
            tally.observe(STAGE_SECONDS, seconds, label=stage, times=len(self._noted_ms))
