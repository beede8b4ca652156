"""`bin/dash announce`: a message to everyone who has the dashboard open, sent by the workers."""

from __future__ import annotations

import click
from celery.exceptions import TimeoutError as NoResult

from cli.database import command_engine
from cli.known import REDIS_TIMEOUT_S, known_environment, load_settings
from cli.recalculation import NoWorkerAnswers
from cli.thresholds import require_tenant
from shared.alerts import LEVELS
from shared.errors import StoreUnavailable
from shared.redis_client import connect
from shared.snapshot import Level

LONGEST_ANNOUNCEMENT = 1000
SILENCE_S = 20.0


@click.command()
@click.argument("words", metavar="TEXT")
@click.option("--tenant", "tenant_id", metavar="USER_ID", help="Only to this tenant.")
@click.option("--level", type=click.Choice(LEVELS), default="info", show_default=True)
def announce(words: str, tenant_id: str | None, level: Level) -> None:
    """Send a message to everyone who has the dashboard open. It is not stored: later visitors do not see it."""
    if not words.strip() or len(words) > LONGEST_ANNOUNCEMENT:
        raise click.UsageError(f"TEXT has 1 to {LONGEST_ANNOUNCEMENT} characters")
    settings = load_settings(known_environment())
    if tenant_id is not None:
        require_tenant(command_engine(settings.database_url), tenant_id)
    with connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S) as client:
        client.ping()
    heard = _send(words, tenant_id=tenant_id, level=level)
    print(f"announced to {tenant_id or 'everybody'} ({heard} web {'process' if heard == 1 else 'processes'} listening)")


def _send(words: str, *, tenant_id: str | None, level: Level) -> int:
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
