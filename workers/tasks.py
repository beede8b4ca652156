"""The Celery tasks: name, limits, retry policy, one call. Their names are a contract: queued messages carry them."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import msgspec
import redis
import structlog
from celery import Task

from shared.counters import QUEUES
from shared.errors import DaybookError, SourceUnavailable, StoreUnavailable
from shared.outcomes import Recalculation
from shared.versions import Version
from workers import quarantine, worker_stats
from workers.app import Resources, app, resources, settings
from workers.audit import BUDGET_S, Audit, drifting, record, report
from workers.recalculate import recalculate as recalculate_tenants
from workers.recalculate import report_failure

log = structlog.get_logger()

# One set of statements serves so many tenants; larger batches gain nothing and keep urgent work waiting longer.
BATCH_SIZE = 50
RETRIES = 6


def _retry_in_s(attempt: int) -> float:
    return min(0.5 * 2.0**attempt, 8.0)


@app.task(name="dashboard.recalculate", bind=True, max_retries=RETRIES)
def recalculate(self: Task, tenant_ids: list[str]) -> dict[str, Any]:
    """Recompute these tenants now; the result is a shared.outcomes.Recalculation."""
    if not isinstance(tenant_ids, list) or not all(isinstance(tenant_id, str) for tenant_id in tenant_ids):
        raise TypeError("dashboard.recalculate takes one list of tenant ids: --args='[[\"USER_ID\"]]'")
    started = time.monotonic()
    held = resources()
    try:
        with held.throttle.computing(tenant_ids):
            outcomes = quarantine.guarded(
                self.request.id,
                tenant_ids,
                batch_size=BATCH_SIZE,
                client=held.redis,
                keys=held.keys,
                compute=lambda ids: recalculate_tenants(
                    ids, source=held.source, writer=held.writer, alerts=held.alerts, now=lambda: datetime.now(UTC)
                ),
                report_failure=lambda tenant_id, reason: report_failure(
                    tenant_id, reason, writer=held.writer, alerts=held.alerts
                ),
            )
        held.throttle.done(tenant_ids)
        held.throttle.left_out([outcome.tenant_id for outcome in outcomes if outcome.reason == quarantine.POISON])
    except (SourceUnavailable, StoreUnavailable, redis.RedisError) as error:
        _let_go(held, tenant_ids)
        worker_stats.put_off(error, held.redis, held.keys)
        raise self.retry(exc=DaybookError(str(error)), countdown=_retry_in_s(self.request.retries)) from error
    log.info("recalculated", verdicts=dict(Counter(outcome.status for outcome in outcomes)))
    result = Recalculation(outcomes=tuple(outcomes), duration_seconds=round(time.monotonic() - started, 4))
    worker_stats.recalculated(result, _queue(self), held.redis, held.keys)
    reply: dict[str, Any] = msgspec.to_builtins(result)
    return reply


def _queue(task: Task) -> str:
    """Which queue the task came from; called by hand inside a process it came from none, and was a command."""
    return (task.request.delivery_info or {}).get("routing_key") or QUEUES[0]


def _let_go(held: Resources, tenant_ids: list[str]) -> None:
    try:
        held.throttle.failed(tenant_ids)
    except redis.RedisError:
        return  # the keys expire by themselves


@app.task(name="dashboard.recalculate_all")
def recalculate_all(scheduled: bool = False) -> int:
    """Queue the recalculation of every tenant, in batches; returns how many tenants.

    Called by the schedule it runs once per CACHE_TIMEOUT, however many beats tick; called by hand it always runs.
    """
    held = resources()
    if scheduled and not _claim_slot(held, "sweep", settings.cache_timeout_s):
        return 0
    held.alerts.forget_old()
    tenant_ids = held.source.tenant_ids()
    for start in range(0, len(tenant_ids), BATCH_SIZE):
        recalculate.apply_async(
            args=[tenant_ids[start : start + BATCH_SIZE]],
            queue="sweep",
            expires=settings.cache_timeout_s,
            ignore_result=True,
        )
    return len(tenant_ids)


def _claim_slot(held: Resources, name: str, length_s: int) -> bool:
    slot = int(time.time()) // length_s
    return bool(held.redis.set(held.keys.tick(name, slot), "claimed", nx=True, ex=2 * length_s))


# A task that is lost with its worker is not tried again: the next one looks elsewhere.
@app.task(name="dashboard.audit", acks_late=False)
def audit(tenant_ids: list[str] | None = None, scheduled: bool = False) -> dict[str, int]:
    """Compare what is served with the independent calculation; returns how many tenants were clean, drift, skipped.

    Without tenants: those that drifted before, and a random sample. By the schedule once per AUDIT_INTERVAL.
    """
    held = resources()
    if scheduled and not _claim_slot(held, "audit", settings.audit_interval_s):
        return {}
    audit = Audit(engine=held.engine, reader=held.reader, recompute=_recompute, thresholds=settings.alerts)
    if tenant_ids is None:
        tenant_ids = [*drifting(held.redis, held.keys), *audit.sample()]
    found: Counter[str] = Counter()
    for finding in audit.findings(dict.fromkeys(tenant_ids), budget_s=BUDGET_S):
        report(finding)
        record(finding, held.redis, held.keys)
        found[finding.verdict] += 1
    log.info("audited", verdicts=dict(found))
    return dict(found)


def _recompute(tenant_id: str) -> None:
    recalculate.apply(args=[[tenant_id]])


@app.task(name="dashboard.pulse")
def pulse() -> None:
    """Prove that tasks are finished and say how the database answers; the web process knows it from nothing else."""
    held = resources()
    database_ms: float | None = None
    database_error: str | None = None
    oldest_change: int | None = None
    database_ahead_ms: int | None = None
    try:
        database_ms = round(held.source.ping(), 2)
        oldest_change = held.source.oldest_change()
        database_ahead_ms = held.source.ahead_ms()
    except SourceUnavailable as error:
        database_error = type(error.__cause__ or error).__name__
    worker_stats.beat(
        held.redis,
        held.keys,
        database_ms=database_ms,
        database_error=database_error,
        oldest_change=oldest_change,
        database_ahead_ms=database_ahead_ms,
    )


@app.task(name="dashboard.end_epoch")
def end_epoch(tenant_id: str, epoch: str, revision: int) -> bool:
    """Redis holds less of an epoch than a client has seen: start a new one for this tenant."""
    held = resources()
    ended = held.writer.end_epoch(tenant_id, Version(epoch, revision))
    if ended:
        recalculate.apply_async(args=[[tenant_id]], queue="commands", ignore_result=True)
    return ended
