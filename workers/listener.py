"""The change listener, a process of its own: finds due tenants and queues their recalculation.

It looks many times a second: a NOTIFY in the writers' transactions would forbid them two-phase commits. What is due stands in
PostgreSQL until it is computed, so this process may be killed at any moment, and several may run. Once a second it also
beats on the notices channel.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections import deque
from datetime import UTC, datetime
from types import FrameType

import psycopg
import redis
import structlog
from celery import Celery
from kombu.exceptions import OperationalError as BrokerError

from shared.keys import Keys
from shared.logs import configure_logging
from shared.notices import Notice, encode_notice
from shared.redis_client import connect as connect_redis
from workers.app import app, settings
from workers.capture import changes
from workers.capture.batches import Batches
from workers.capture.throttle import QUEUED_S, Throttle
from workers.database import ISOLATION, STATEMENT_TIMEOUT_MS, dsn

log = structlog.get_logger()

# How soon we look again: while nothing waits, and while something does.
IDLE_POLL_S = 0.01
BUSY_POLL_S = 0.005
# Looking for what is not there costs more while somebody's long transaction keeps settled changes from being cleared away:
# then we look more seldom, and so no more than a tenth of the time.
LOOK_SHARE = 9
LONGEST_POLL_S = 0.25
BEAT_S = 1.0
# More than this waits its turn in PostgreSQL, where it costs nothing, rather than in the queue.
MOST_AT_ONCE = 2000
RECONNECT_S = (0.2, 5.0)
HUNG_S = 10.0


class Listener:
    """Looks for what is due, claims it, queues it; each second it rolls the days and beats."""

    def __init__(self, database_url: str, client: redis.Redis, keys: Keys, celery: Celery) -> None:
        self._database_url = database_url
        self._redis = client
        self._keys = keys
        self._celery = celery
        self._throttle = Throttle(client, keys)
        self._batches = Batches()
        self._next_beat = 0.0
        self._looks_s: deque[float] = deque(maxlen=10)
        self._last_step = time.monotonic()
        self.stopping = threading.Event()

    def run(self) -> None:
        """Until `stopping` is set, whatever PostgreSQL or Redis do in between."""
        delay = RECONNECT_S[0]
        while not self.stopping.is_set():
            try:
                with self._connect() as connection:
                    log.info("listener_connected")
                    delay = RECONNECT_S[0]
                    self._listen(connection)
            except psycopg.Error as error:
                self._last_step = time.monotonic()
                log.warning("listener_lost_database", error=type(error).__name__, retry_s=delay)
                self.stopping.wait(delay)
                delay = min(delay * 2, RECONNECT_S[1])

    def watch(self) -> None:
        """End the process when a pass hangs, as on a frozen backend that honours no timeout; it is started again."""
        while not self.stopping.wait(1.0):
            if time.monotonic() - self._last_step > HUNG_S:
                log.error("listener_hung", seconds=HUNG_S)
                os._exit(1)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            self._database_url,
            autocommit=True,
            connect_timeout=5,
            application_name="daybook listener",
            prepare_threshold=None,
            options=f"{ISOLATION} -c statement_timeout={STATEMENT_TIMEOUT_MS}",
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=2,
            tcp_user_timeout=10_000,
        )

    def _listen(self, connection: psycopg.Connection) -> None:
        while not self.stopping.is_set():
            self._beat_each_second(connection)
            started = time.monotonic()
            waiting = self.step(connection)
            took_s = time.monotonic() - started
            self.stopping.wait(self._pause_s(waiting, took_s))

    def _pause_s(self, waiting: bool, took_s: float) -> float:
        if waiting:
            # A long queue is expensive to look at, too: never spend more than half of the time on looking.
            return max(BUSY_POLL_S, took_s)
        # The fastest of the last looks: the others only say how busy the machine is.
        self._looks_s.append(took_s)
        return min(max(IDLE_POLL_S, LOOK_SHARE * min(self._looks_s)), LONGEST_POLL_S)

    def step(self, connection: psycopg.Connection) -> bool:
        """One pass; true while anything is waiting for a worker or for its turn."""
        self._last_step = time.monotonic()
        if changes.oldest(connection) is None:
            return False
        due = changes.due_tenants(connection, MOST_AT_ONCE)
        if changes.EVERYONE in due:
            changes.expand_everyone(connection)
            due = changes.due_tenants(connection, MOST_AT_ONCE)
        if due:
            self._dispatch(due)
        return bool(due)

    def _beat_each_second(self, connection: psycopg.Connection) -> None:
        if time.monotonic() < self._next_beat:
            return
        self._next_beat = time.monotonic() + BEAT_S
        if rolled := changes.roll_days(connection, datetime.now(UTC)):
            log.info("local_day_rolled", tenants=rolled)
        self._beat()

    def _beat(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.set(self._keys.listener, now_ms)
                pipe.publish(self._keys.notices, encode_notice(Notice(heartbeat=now_ms)))
                pipe.execute()
        except redis.RedisError as error:
            log.warning("listener_lost_redis", error=type(error).__name__)

    def _dispatch(self, due: list[str]) -> None:
        claimed: list[str] = []
        try:
            claimed = self._throttle.claim(due)
            for tenant_ids in self._batches.split(claimed, now=time.monotonic()):
                self._celery.send_task(
                    "dashboard.recalculate",
                    args=[tenant_ids],
                    queue="changes",
                    expires=QUEUED_S,
                    ignore_result=True,
                    retry=False,
                )
        except (redis.RedisError, BrokerError, OSError) as error:
            log.warning("dispatch_failed", error=type(error).__name__, tenants=len(due))
            self._throttle.doubt(claimed)
            with contextlib.suppress(redis.RedisError):  # the keys expire by themselves, only later
                self._throttle.failed(claimed)
            self.stopping.wait(RECONNECT_S[0])


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    configure_logging(settings.log_level)
    logging.getLogger("kombu").setLevel(logging.WARNING)
    client = connect_redis(settings.redis_url, timeout_s=2.0)
    listener = Listener(dsn(settings.database_url or ""), client, Keys(settings.key_prefix), app)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        listener.stopping.set()

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, stop)
    threading.Thread(target=listener.watch, daemon=True).start()
    listener.run()


if __name__ == "__main__":
    main()
