"""Queues the recalculation of due tenants: claims them, puts them in batches, sends these."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import redis
import structlog
from celery import Celery
from kombu.exceptions import OperationalError as BrokerError

from shared.keys import Keys
from workers.capture.throttle import QUEUED_S, Throttle
from workers.loops.batches import TENANTS_PER_TASK, Batches
from workers.stages import noted_header

log = structlog.get_logger()

NOTHING_NOTED: Mapping[str, float] = MappingProxyType({})


class Dispatch:
    """Into one queue; one for each loop of each listener."""

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        celery: Celery,
        queue: str,
        *,
        yields: bool = False,
        tenants_per_task: int = TENANTS_PER_TASK,
    ) -> None:
        """`yields`: whether who waits in this queue may be queued by others as well, see workers/capture/throttle.py."""
        self._client = client
        self._waiting = keys.queue(queue)
        self._throttle = Throttle(client, keys, yields=yields)
        self._celery = celery
        self._queue = queue
        self._batches = Batches(tenants_per_task)

    def is_taken_up(self) -> bool:
        """Whether workers have taken whatever was sent: the next task would begin at once. Raises redis.RedisError."""
        return self._client.llen(self._waiting) == 0

    def send(self, due: Sequence[str], noted_at: Mapping[str, float] = NOTHING_NOTED) -> list[str] | None:
        """Queue those of the tenants that nobody computes; returns them, None when Redis was away: then they are still due.

        `noted_at`: since when changes wait that somebody looks at, by time.monotonic(); see workers/stages.py.
        """
        claimed: list[str] = []
        try:
            claimed = self._throttle.claim(due)
            for tenant_ids in self._batches.split(claimed, now=time.monotonic()):
                self._celery.send_task(
                    "dashboard.recalculate",
                    args=[tenant_ids],
                    headers=noted_header(tenant_ids, noted_at),
                    queue=self._queue,
                    expires=QUEUED_S,
                    ignore_result=True,
                    retry=False,
                )
        except (redis.RedisError, BrokerError, OSError) as error:
            log.warning("dispatch_failed", error=type(error).__name__, tenants=len(due))
            self._throttle.doubt(claimed)
            with contextlib.suppress(redis.RedisError):  # the keys expire by themselves, only later
                self._throttle.failed(claimed)
            return None
        return claimed
