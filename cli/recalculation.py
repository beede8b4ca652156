"""`bin/dash recalculate`: sends the tenants to the workers in batches and waits until all are done."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click
import msgspec
from celery.exceptions import TimeoutError as NoResult

from cli.database import command_engine
from cli.known import REDIS_TIMEOUT_S, known_environment, load_settings
from cli.progress import progress
from cli.tenants import tenant_ids
from shared.errors import DaybookError, StoreUnavailable
from shared.outcomes import Outcome, Recalculation
from shared.redis_client import connect
from workers.unsettled.known import doubt_settled

MOST_FAILURES_SHOWN = 20
# A batch takes well below a second; silence for so long means that no worker is there.
SILENCE_S = 60.0


class NoWorkerAnswers(DaybookError):
    """No result came back in time. Is a worker running (bin/dash doctor)? What was sent expires by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of the tenants, and how long it took."""

    outcomes: tuple[Outcome, ...]
    seconds: float

    @property
    def failures(self) -> list[Outcome]:
        """Tenants that have no fresh snapshot now."""
        return [outcome for outcome in self.outcomes if outcome.status in ("failed", "unknown")]

    def __str__(self) -> str:
        counts = Counter(outcome.status for outcome in self.outcomes)
        parts = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
        rate = len(self.outcomes) / self.seconds if self.seconds else 0.0
        return f"{len(self.outcomes):,} tenants in {self.seconds:.1f} s, {rate:,.0f} per second ({parts or 'nothing to do'})"


@click.command()
@click.option("--all", "everyone", is_flag=True, help="Every tenant.")
@click.argument("user_ids", nargs=-1, metavar="[USER_ID]...")
def recalculate(everyone: bool, user_ids: tuple[str, ...]) -> None:
    """Recompute tenants on the workers and wait until all are done. Exit code 1 if any failed."""
    if everyone == bool(user_ids):
        raise click.UsageError("name the tenants, or say --all")
    settings = load_settings(known_environment())
    # Celery would try to reach Redis for long before it gave up.
    with connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S) as client:
        client.ping()
    engine = command_engine(settings.database_url)
    ids = tenant_ids(engine) if everyone else list(dict.fromkeys(user_ids))
    # Whoever says so may have changed what no trigger sees.
    with engine.begin() as connection:
        doubt_settled(connection, None if everyone else ids)
    with progress() as advance:
        report = recalculate_tenants(ids, queue="sweep" if everyone else "commands", advance=advance)
    print(report)
    for outcome in report.failures[:MOST_FAILURES_SHOWN]:
        print(f"  {outcome.tenant_id}: {outcome.reason or outcome.status}", file=sys.stderr)
    sys.exit(1 if report.failures else 0)


def recalculate_tenants(ids: Sequence[str], *, queue: str, advance: Callable[[str, int, int], None]) -> Report:
    """Recompute these tenants on the workers; raises NoWorkerAnswers when nothing comes back.

    The environment must hold the settings: the Celery app is made from it when it is imported.
    """
    from workers.tasks import BATCH_SIZE
    from workers.tasks import recalculate as task

    started = time.monotonic()
    sent = [
        task.apply_async(args=[list(ids[at : at + BATCH_SIZE])], queue=queue, expires=SILENCE_S * 5)
        for at in range(0, len(ids), BATCH_SIZE)
    ]
    outcomes: list[Outcome] = []
    for at, result in enumerate(sent):
        advance("recalculating", len(outcomes), len(ids))
        batch = ids[at * BATCH_SIZE : (at + 1) * BATCH_SIZE]
        try:
            answer = result.get(timeout=SILENCE_S, propagate=False)
        except NoResult:
            raise NoWorkerAnswers("no worker answered within a minute; bin/dash doctor may know why") from None
        except RuntimeError as error:  # all that Celery's result backend raises when it gives Redis up
            raise StoreUnavailable("Redis went away while the tenants were computed") from error
        outcomes += _outcomes(batch, answer)
    advance("recalculating", len(ids), len(ids))
    return Report(outcomes=tuple(outcomes), seconds=time.monotonic() - started)


def _outcomes(batch: Sequence[str], answer: object) -> Sequence[Outcome]:
    if isinstance(answer, BaseException):
        return [Outcome(tenant_id=tenant_id, status="failed", reason=str(answer)) for tenant_id in batch]
    return msgspec.convert(answer, Recalculation).outcomes
