"""`bin/dash announce`: a message to everyone who has the dashboard open, sent by the workers."""

from __future__ import annotations

from celery.exceptions import TimeoutError as NoResult

from cli.recalculation import NoWorkerAnswers
from shared.errors import StoreUnavailable
from shared.snapshot import Level

SILENCE_S = 20.0


def announce(words: str, *, tenant_id: str | None, level: Level) -> int:
    """Send it to one tenant, or to all; returns how many web processes received it. Raises NoWorkerAnswers.

    The environment must hold the settings: the Celery app is made from it when it is imported.
    """
    from workers.alert_tasks import announce as task

    result = task.apply_async(args=[words, tenant_id, level], queue="commands", expires=SILENCE_S)
    try:
        return int(result.get(timeout=SILENCE_S))
    except NoResult:
        raise NoWorkerAnswers("no worker answered; bin/dash doctor may know why") from None
    except RuntimeError as error:  # all that Celery's result backend raises when it gives Redis up
        raise StoreUnavailable("Redis went away before the announcement was sent") from error
