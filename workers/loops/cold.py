"""The cold loop: once a second it rolls the days, queues the tenants whose turn has come, and beats on the channel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

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
# Rows that are looked at in a second, and so the most that is queued for tenants at which nobody looks.
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

    def step(self, connection: psycopg.Connection) -> float:
        started = time.monotonic()
        try:
            rolled = changes.roll_days(
                connection, datetime.now(UTC), hot=self._looked.everyone, delay_s=self._cold_delay_s
            )
            if rolled:
                log.info("local_day_rolled", tenants=rolled)
            if due := changes.waited_tenants(connection, MOST_ROWS):
                self._dispatch.send(due)
            if self._others_pass():
                self._beat()
        except redis.RedisError as error:
            log.warning("listener_lost_redis", error=type(error).__name__)
        return max(0.0, EVERY_S - (time.monotonic() - started))

    def _beat(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(self._keys.listener, now_ms)
            pipe.publish(self._keys.notices, encode_notice(Notice(heartbeat=now_ms)))
            pipe.execute()
