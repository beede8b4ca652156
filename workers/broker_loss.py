"""A worker that cannot tell the broker what became of a task connects anew.

Celery leaves it at that. Then the message counts as in hand for good, and a worker that has as many in hand as it may take
does not even listen to the broker any more: it waits without end, while everything looks alive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import redis
import structlog
from celery import Task
from celery.worker.request import Request
from kombu.asynchronous import get_event_loop

log = structlog.get_logger()


class SettledOrLost(Request):  # type: ignore[misc]  # Celery has no types
    """A task in a worker's hand, which ends with its message settled or with the connection given up.

    A message that goes with its connection is delivered again.
    """

    acknowledged: bool

    def acknowledge(self) -> None:
        """The message is done with."""
        self._settle(self._message.ack)

    def reject(self, requeue: bool = False) -> None:
        """The message is dropped, or goes back into its queue."""
        self._settle(lambda: self._message.reject(requeue=requeue))

    def on_failure(self, *args: Any, **kwargs: Any) -> Any:
        """The task failed, of which the store of results is told before the broker is."""
        try:
            return super().on_failure(*args, **kwargs)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it was, the broker has not been told)
            self._give_up(error)

    def _settle(self, tell: Callable[[], None]) -> None:
        if self.acknowledged:
            return
        self.acknowledged = True
        try:
            tell()
        except (redis.RedisError, OSError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        log.warning("task_not_settled", error=type(error).__name__, of_task=self.id)
        # In the worker's loop, not in here: Celery swallows what is raised at a task's end.
        if hub := get_event_loop():
            hub.call_soon(_connect_anew)  # type: ignore[no-untyped-call]


class SafelySettled(Task):  # type: ignore[misc]  # the same
    """The base of all tasks: workers take hold of them by the class above."""

    Request = f"{__name__}:{SettledOrLost.__name__}"


def _connect_anew() -> NoReturn:
    raise redis.ConnectionError("a task's end could not be told to the broker")
