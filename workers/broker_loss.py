"""A worker that cannot tell the broker what became of a task connects anew.

Celery leaves it at that. Then the message counts as in hand for good, and a worker that has as many in hand as it may take
does not even listen to the broker any more: it waits without end, while everything looks alive.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import redis
import structlog
from celery import Celery, Task, bootsteps
from celery.worker.consumer import Consumer
from celery.worker.request import Request

log = structlog.get_logger()


def gives_lost_connections_up(app: Celery) -> None:
    """Let every worker of this app connect anew after the end of a task that could not be told."""
    app.steps["consumer"].add(ConnectsAnew)


class SoonBack(Consumer):  # type: ignore[misc]  # Celery has no types
    """A worker's side of the broker, which is looked for every two seconds while it is away.

    Celery looks for it less and less often: after an outage of a minute everybody would wait for up to 14 s more.
    """

    def ensure_connected(self, conn: Any) -> Any:
        """The connection, once it is made."""
        conn.ensure_connection = partial(conn.ensure_connection, interval_step=0)
        return super().ensure_connected(conn)


class ConnectsAnew(bootsteps.StartStopStep):  # type: ignore[misc]  # the same
    """Part of a worker's connection, and begun with each: ends it when a task's end could not be told over it."""

    requires = ("celery.worker.consumer:Tasks",)
    untold = False

    def start(self, consumer: Any) -> None:
        """A new connection has been made."""
        ConnectsAnew.untold = False
        # Before the worker waits for anything. What Celery calls at a task's end may not raise: it swallows that.
        consumer.hub.on_tick.add(_connect_anew)


def _connect_anew() -> None:
    if ConnectsAnew.untold:
        raise redis.ConnectionError("a task's end could not be told to the broker")


class SettledOrLost(Request):  # type: ignore[misc]  # the same
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
        ConnectsAnew.untold = True


class SafelySettled(Task):  # type: ignore[misc]  # the same
    """The base of all tasks: workers take hold of them by the class above."""

    Request = f"{__name__}:{SettledOrLost.__name__}"
