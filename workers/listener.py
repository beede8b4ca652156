"""The change listener, a process of its own: finds due tenants and queues their recalculation.

What is due stands in PostgreSQL until it is computed, so this process may be killed at any moment, and several may run.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from types import FrameType

import redis
import structlog

from shared.keys import Keys
from shared.logs import configure_logging
from shared.looked import Looked
from shared.redis_client import connect as connect_redis
from shared.running import Announcer
from shared.set_aside import set_imports_aside
from workers.app import app, settings
from workers.database import dsn
from workers.loops.cold import TENANTS_PER_TASK, ColdLoop
from workers.loops.dispatch import Dispatch
from workers.loops.hot import HotLoop
from workers.loops.loop import HUNG_S, Loop

log = structlog.get_logger()


def loops(client: redis.Redis, keys: Keys, stopping: threading.Event) -> list[Loop]:
    """What this process does, each in a thread of its own."""
    database_url, cold_delay_s = dsn(settings.database_url or ""), settings.cold_delay_s
    at_once = HotLoop(
        database_url,
        stopping,
        dispatch=Dispatch(client, keys, app, "changes"),
        looked=Looked(client, keys),
        cold_delay_s=cold_delay_s,
    )
    by_turns = ColdLoop(
        database_url,
        stopping,
        dispatch=Dispatch(client, keys, app, "sweep", yields=True, tenants_per_task=TENANTS_PER_TASK),
        client=client,
        keys=keys,
        cold_delay_s=cold_delay_s,
        others_pass=lambda: at_once.passes,
    )
    return [at_once, by_turns]


def watch(running: list[Loop], stopping: threading.Event) -> None:
    """End the process when a pass hangs; it is started again."""
    while not stopping.wait(1.0):
        if hung := [loop.name for loop in running if loop.hangs]:
            log.error("listener_hung", seconds=HUNG_S, loops=hung)
            os._exit(1)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    configure_logging(settings.log_level)
    logging.getLogger("kombu").setLevel(logging.WARNING)
    client, keys = connect_redis(settings.redis_url, timeout_s=2.0), Keys(settings.key_prefix)
    Announcer(client, keys, "changes", "worker", os.environ).start()
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, stop)
    running = loops(client, keys, stopping)
    set_imports_aside()
    threads = [threading.Thread(target=loop.run) for loop in running]
    for thread in threads:
        thread.start()
    watch(running, stopping)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
