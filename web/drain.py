"""A clean end: on SIGTERM sockets get 1012, streams their last event, requests their answer, and the process is gone.

gunicorn alone would wait for open sockets until its graceful timeout and then cut them without a word.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
import structlog
from gunicorn.workers.base import Worker

from web.services import Services

log = structlog.get_logger()

POLL_S = 0.05
# What is not finished by then is cut off; with the rest it stays below three seconds.
GRACE_S = 1.8


class _Busy:
    """Counts the requests that a worker is handling; an idle keep-alive connection is none."""

    def __init__(self, handle: Callable[..., Any]) -> None:
        self._handle = handle
        self.count = 0

    def __call__(self, *args: Any) -> Any:
        self.count += 1
        try:
            return self._handle(*args)
        finally:
            self.count -= 1


def watch(worker: Worker) -> None:
    """Call in gunicorn's post_worker_init: from now on SIGTERM ends this worker cleanly and soon."""
    services: Services = worker.wsgi.extensions["daybook"]
    busy = worker.handle_request = _Busy(worker.handle_request)
    gevent.spawn(_watch, worker, services, busy, gevent.getcurrent())


def _watch(worker: Worker, services: Services, busy: _Busy, main: gevent.Greenlet) -> None:
    while worker.alive:
        gevent.sleep(POLL_S)
    started = time.monotonic()
    log.info("draining", clients=services.hub.clients, requests=busy.count)
    services.hub.drain()
    while busy.count and time.monotonic() - started < GRACE_S:
        gevent.sleep(POLL_S)
    log.info("drained", seconds=round(time.monotonic() - started, 2), cut_off=busy.count)
    # gunicorn's own loop looks once a second and waits for idle connections too.
    gevent.kill(main, SystemExit(0))
