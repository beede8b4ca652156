"""The workers' pulse: what a task that finished lately found. The web process knows the workers' side by it alone."""

from __future__ import annotations

import msgspec


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """Written to `Keys.pulse` by the task dashboard.pulse every PULSE_INTERVAL_S.

    at_ms: when the task finished. database_ms: how long PostgreSQL took to answer; None when it did not, and then
    database_error says why (a class name, nothing secret). failing: tenants whose newest computation failed. drifting:
    tenants whose snapshot an audit found wrong and none has found right since. oldest_change, oldest_since_ms: the row
    change that has waited longest for its computation, and when a pulse saw it first; None while nothing waits.
    database_ahead_ms: by how much the database's clock, which dates every snapshot, is ahead of the one behind at_ms.
    """

    at_ms: int
    database_ms: float | None
    database_error: str | None = None
    failing: int = 0
    drifting: int = 0
    oldest_change: int | None = None
    oldest_since_ms: int | None = None
    database_ahead_ms: int = 0

    @property
    def change_age_s(self) -> float:
        """How long the oldest row change has waited, in seconds; 0 while nothing waits."""
        return 0.0 if self.oldest_since_ms is None else max(0, self.at_ms - self.oldest_since_ms) / 1000


PULSE_INTERVAL_S = 2
# Three pulses missed: a worker that is merely busy with a batch still finishes one in time.
PULSE_STALE_AFTER_S = 8
