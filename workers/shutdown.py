"""A worker that is to end does end, so that its supervisor can start it again.

Celery waits without a limit for its child processes, even when it no longer reads what they report: a child with more to
say than a pipe holds then waits for the worker and the worker for it, while everything looks alive.
"""

from __future__ import annotations

import faulthandler

from celery import Celery, bootsteps, signals

# Tasks take a fraction of this. What is cut off is delivered again, and a change stays due until it is computed.
END_WITHIN_S = 5.0


def ends_in_time(app: Celery) -> None:
    """Let no worker of this app take longer to end, whether it was told to or met an error that it does not survive."""
    signals.worker_shutting_down.connect(_start_clock)
    app.steps["worker"].add(EndInTime)


class EndInTime(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Part of a worker; all parts are told that it closes before the first of them is stopped."""

    def close(self, worker: object) -> None:
        """The clock starts."""
        _start_clock()


def _start_clock(**_: object) -> None:
    # Not a thread of Python's: nothing that the worker is stuck in may hold this up. It says where that was.
    faulthandler.dump_traceback_later(END_WITHIN_S, exit=True)
