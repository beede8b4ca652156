"""The hot loop: what changes at tenants that somebody looks at goes into the queue at once, everything else waits.

It looks many times a second: a NOTIFY in the writers' transactions would forbid them two-phase commits.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection, Sequence

import psycopg
import redis
import structlog

from shared.looked import Looked
from workers.capture import changes
from workers.loops.dispatch import Dispatch
from workers.loops.loop import RECONNECT_S, Loop
from workers.session import SETTINGS

log = structlog.get_logger()

# How soon we look again: in general, and while tasks wait for a worker, who may be idle as soon as they are taken up.
IDLE_POLL_S = 0.01
BUSY_POLL_S = 0.005
# Looking for what is not there costs more while somebody's long transaction keeps settled changes from being cleared away:
# then we look more seldom, and so no more than a tenth of the time.
LOOK_SHARE = 9
LONGEST_POLL_S = 0.25
# More than this waits its turn in PostgreSQL, where it costs nothing, rather than in the queue.
MOST_AT_ONCE = 2000
# Each look compares each change that is there with each that was queued just now.
MOST_REMEMBERED = 100
# Who was found to be looked at is not asked about again for so long.
HOT_FOR_S = 60.0
MOST_HOT = 10_000

# A kept plan may have been made while the table was empty, when reading all of it looks cheapest. Soon a hundred thousand
# changes may wait in it.
SESSION = {**SETTINGS, "enable_seqscan": "off"}


class HotLoop(Loop):
    """Changes that are due at once. With a `cold_delay_s` of 0 every change is."""

    def __init__(
        self, database_url: str, stopping: threading.Event, *, dispatch: Dispatch, looked: Looked, cold_delay_s: int
    ) -> None:
        super().__init__("listener", database_url, stopping, settings=SESSION)
        self._dispatch = dispatch
        self._looked = looked
        self._cold_delay_s = cold_delay_s
        self._looks_s: deque[float] = deque(maxlen=10)
        self._looked_at = 0.0
        self._waits = False
        self._found = False
        self._queued: dict[int, float] = {}
        self._hot_until: dict[str, float] = {}

    def step(self, connection: psycopg.Connection) -> float:
        started = time.monotonic()
        try:
            is_full = self._look(connection)
        except redis.RedisError as error:
            log.warning("listener_lost_redis", error=type(error).__name__)
            return RECONNECT_S[0]
        return self._pause_s(is_full, time.monotonic() - started)

    def _connect(self) -> psycopg.Connection:
        connection = super()._connect()
        self._any_at_once = changes.looking(connection)
        return connection

    def _look(self, connection: psycopg.Connection) -> bool:
        """True while tasks wait for a worker. `_waits` says whether tenants do, or are being computed."""
        # One task more would wait. What becomes due meanwhile shares the next one, at a third of the cost for each tenant.
        is_full = self._waits and not self._dispatch.is_taken_up()
        now = time.monotonic()
        if is_full and now - self._looked_at < LONGEST_POLL_S:
            return True
        self._looked_at = now
        self._queued = {change: at for change, at in self._queued.items() if now - at < LONGEST_POLL_S}
        self._found = self._waits or self._any_at_once(self._queued)
        if not self._found:
            return False
        due = self._due(connection)
        if due and not self._waits:
            # Asked only now: while nothing is due, a look is one short statement and nothing of Redis.
            is_full = not self._dispatch.is_taken_up()
        queued: list[str] | None = []
        if due and not is_full:
            queued = self._dispatch.send(list(due), {tenant_id: one.noted_at for tenant_id, one in due.items()})
            if queued is None:
                self._stopping.wait(RECONNECT_S[0])
        self._waits = queued is None or len(queued) < len(due)
        self._remember([change for tenant_id in queued or () for change in due[tenant_id].ids], now)
        return is_full

    def _remember(self, queued: Sequence[int], now: float) -> None:
        """Changes whose tenants were just queued: until they are settled they are no news."""
        if len(self._queued) + len(queued) <= MOST_REMEMBERED:
            self._queued |= dict.fromkeys(queued, now)

    def _due(self, connection: psycopg.Connection) -> dict[str, changes.Due]:
        """The tenants that are due at once and were not queued just now for the same changes; all others wait from now on."""
        due = changes.due_tenants(connection, MOST_AT_ONCE)
        if changes.EVERYONE in due:
            changes.expand_everyone(connection, hot=self._looked.everyone(), delay_s=self._cold_delay_s)
            due = changes.due_tenants(connection, MOST_AT_ONCE)
            # The next one for everyone may be there already: it is no tenant's, and expanded at the next look.
            due.pop(changes.EVERYONE, None)
        due = {tenant_id: one for tenant_id, one in due.items() if not self._queued.keys() >= set(one.ids)}
        if not due or not self._cold_delay_s:
            return due
        if cold := self._not_looked_at(due):
            changes.defer(connection, sorted(cold), self._cold_delay_s)
        return {tenant_id: one for tenant_id, one in due.items() if tenant_id not in cold}

    def _not_looked_at(self, due: Collection[str]) -> set[str]:
        """Those of the tenants at whom nobody looks. Whoever was looked at a moment ago is not asked about again."""
        now = time.monotonic()
        unknown = [tenant_id for tenant_id in due if self._hot_until.get(tenant_id, now) <= now]
        hot = self._looked.among(unknown)
        if len(self._hot_until) >= MOST_HOT:
            self._hot_until.clear()
        self._hot_until |= dict.fromkeys(hot, now + HOT_FOR_S)
        return set(unknown) - hot

    def _pause_s(self, is_full: bool, took_s: float) -> float:
        if self._found:
            # A long queue is expensive to look at, too: never spend more than half of the time on looking.
            return max(BUSY_POLL_S if is_full else IDLE_POLL_S, took_s)
        # The fastest of the last looks: the others only say how busy the machine is.
        self._looks_s.append(took_s)
        return min(max(IDLE_POLL_S, LOOK_SHARE * min(self._looks_s)), LONGEST_POLL_S)
