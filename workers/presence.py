"""Workers and beats say that they run: see shared/running.py. The listener does so itself."""

from __future__ import annotations

import os
from typing import Any

from celery import signals

from shared.keys import Keys
from shared.redis_client import connect
from shared.running import SAY_EVERY_S, Announcer
from shared.settings import Settings

REDIS_TIMEOUT_S = 1.0


def announces_itself(settings: Settings) -> None:
    """Let every worker and beat of this program say that it runs, from when it is ready."""
    environment = dict(os.environ)

    def announcer(name: str) -> Announcer:
        client = connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S)
        return Announcer(client, Keys(settings.key_prefix), name, "worker", environment)

    def worker_is_ready(sender: Any, **_: object) -> None:
        # No thread: this process forks whenever a child has to be replaced.
        mine = announcer(str(sender.hostname).partition("@")[0])
        mine.say()
        sender.timer.call_repeatedly(SAY_EVERY_S, mine.say)

    def beat_begins(**_: object) -> None:
        announcer("beat").start()

    signals.worker_ready.connect(worker_is_ready, weak=False)
    signals.beat_init.connect(beat_begins, weak=False)
