"""The cold loop: once a second it rolls the days, queues the tenants whose turn has come, and beats on the channel.

While more wait than workers can take up, it looks several times a second whether the next ones would begin.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg
import redis
import structlog

from shared.keys import Keys
from shared.looked import Looked
from shared.notices import Notice, encode_notice
from workers.capture import changes
from workers.loops.dispatch import Dispatch
from workers.loops.loop import Loop

log = structlog.get_logger()

EVERY_S = 1.0
# A zone in which nobody has lived before has had no midnight yet, and its tenants are computed as they come. To find it all
# tenants are read.
NEW_ZONES_EVERY_S = 10.0
# No screen waits for these tenants: the more of them share a task, the less is taken from others who are waited for.
TENANTS_PER_TASK = 50
# How soon it looks again while more waits than workers have taken up, and how much it queues then. Who is queued has begun to
# wait behind others, so no more are than begin at once.
BUSY_POLL_S = 0.025
MOST_TENANTS = 2 * TENANTS_PER_TASK
# Rows that are looked at, once a second, of those that wait longest.
MOST_ROWS = 2000


class ColdLoop(Loop):
    """Midnights, and changes that have waited for their turn. See workers/loops/hot.py for the others."""

    def __init__(
        self,
        database_url: str,
        stopping: threading.Event,
        *,
        dispatch: Dispatch,
        client: redis.Redis,
        keys: Keys,
        cold_delay_s: int,
        others_pass: Callable[[], bool],
    ) -> None:
        """`others_pass`: whether the rest of the listener is alive, too; only then it beats."""
        super().__init__("listener's turns", database_url, stopping)
        self._dispatch = dispatch
        self._redis = client
        self._keys = keys
        self._looked = Looked(client, keys)
        self._cold_delay_s = cold_delay_s
        self._others_pass = others_pass
        self._next_second = 0.0
        self._next_zones = 0.0
        self._turns: list[str] = []
        self._seen: list[str] = []

    def step(self, connection: psycopg.Connection) -> float:
        started = time.monotonic()
        waits = False
        try:
            if is_new_second := started >= self._next_second:
                self._next_second = started + EVERY_S
                self._begin_second(connection)
            waits = self._queue_turns(connection, is_new_second)
        except redis.RedisError as error:
            log.warning("listener_lost_redis", error=type(error).__name__)
        until_next_second = max(0.0, self._next_second - time.monotonic())
        return min(BUSY_POLL_S, until_next_second) if waits else until_next_second

    def _begin_second(self, connection: psycopg.Connection) -> None:
        if new_zones := self._next_second >= self._next_zones:
            self._next_zones = self._next_second + NEW_ZONES_EVERY_S
        rolled = changes.roll_days(
            connection, new_zones=new_zones, hot=self._looked.everyone, delay_s=self._cold_delay_s
        )
        if rolled:
            log.info("local_day_rolled", tenants=rolled)
        if self._others_pass():
            self._beat()

    def _queue_turns(self, connection: psycopg.Connection, is_new_second: bool) -> bool:
        """True while more may wait than was queued. What comes meanwhile is left for the next second, to share tasks."""
        if is_new_second:
            self._turns, self._seen = [], []
        is_full = not self._dispatch.is_taken_up()
        if is_full and not is_new_second:
            return True
        # One task a second in any case: in a queue that others keep filled these tenants would never be.
        most = TENANTS_PER_TASK if is_full else MOST_TENANTS
        queued = 0
        while queued < most and (self._turns or self._find_turns(connection)):
            wanted = most - queued
            next_ones, self._turns = self._turns[:wanted], self._turns[wanted:]
            sent = self._dispatch.send(next_ones)
            if sent is None:
                return False
            queued += len(sent)
        return queued == most

    def _find_turns(self, connection: psycopg.Connection) -> bool:
        """Look who waits longest of those not seen this second, who is looked at first; false where nobody does."""
        # All of these rows may be of tenants who cannot be queued now, and one of them may have any number.
        due = changes.waited_tenants(connection, MOST_ROWS, but=self._seen)
        if len(due) > TENANTS_PER_TASK:
            hot = self._looked.among(due)
            due.sort(key=lambda tenant_id: tenant_id not in hot)
        self._turns = due
        self._seen += due
        return bool(due)

    def _beat(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(self._keys.listener, now_ms)
            pipe.publish(self._keys.notices, encode_notice(Notice(heartbeat=now_ms)))
            pipe.execute()
