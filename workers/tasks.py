"""The Celery tasks: name, limits, retry policy, one call. Their names are a contract: queued messages carry them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import redis
import structlog
from celery import Task

from shared.counters import QUEUES
from shared.errors import DaybookError, SourceUnavailable, StoreUnavailable
from shared.outcomes import Recalculation
from shared.receipts import Question, ReceiptStore
from shared.versions import Version
from workers import quarantine, sweep, worker_stats
from workers.app import Resources, app, resources, settings
from workers.audit import BUDGET_S, Audit, drifting, record, report
from workers.ingest import Refusal
from workers.ingest import ingest as ingest_documents
from workers.recalculate import recalculate as recalculate_tenants
from workers.recalculate import report_failure
from workers.receipts import make_receipt
from workers.stages import Trace

log = structlog.get_logger()

# One set of statements serves so many tenants; larger batches gain nothing and keep urgent work waiting longer.
BATCH_SIZE = 50
RETRIES = 6
MOST_REFUSALS_TOLD = 1000
# A tenant whose changes do not tell their days has the totals of its past made anew no more often.
MEND_EVERY_S = 15


def _retry_in_s(attempt: int) -> float:
    return min(0.5 * 2.0**attempt, 8.0)


@app.task(name="dashboard.recalculate", bind=True, max_retries=RETRIES)
def recalculate(self: Task, tenant_ids: list[str]) -> dict[str, Any] | None:
    """Recompute these tenants now; the result is a shared.outcomes.Recalculation, or nothing where nobody wants it."""
    if not isinstance(tenant_ids, list) or not all(isinstance(tenant_id, str) for tenant_id in tenant_ids):
        raise TypeError("dashboard.recalculate takes one list of tenant ids: --args='[[\"USER_ID\"]]'")
    started, trace = time.monotonic(), Trace(self.request)
    held, queue = resources(), _queue(self)
    is_in_no_hurry = queue == "sweep"
    try:
        with held.redis.pipeline(transaction=False) as pipe:
            with held.throttle.computing(tenant_ids, pipe, yields=is_in_no_hurry):
                outcomes = quarantine.guarded(
                    self.request.id,
                    tenant_ids,
                    batch_size=BATCH_SIZE,
                    client=held.redis,
                    pipe=pipe,
                    keys=held.keys,
                    compute=lambda ids: recalculate_tenants(
                        ids,
                        source=held.source,
                        writer=held.writer,
                        alerts=held.alerts,
                        memory=held.memory,
                        now=lambda: datetime.now(UTC),
                        lap=trace.lap,
                    ),
                    report_failure=lambda tenant_id, reason: report_failure(
                        tenant_id, reason, writer=held.writer, alerts=held.alerts
                    ),
                )
            held.throttle.done(tenant_ids, pipe, yields=is_in_no_hurry)
            held.throttle.left_out([one.tenant_id for one in outcomes if one.reason == quarantine.POISON], pipe)
            result = Recalculation(outcomes=tuple(outcomes), duration_seconds=round(time.monotonic() - started, 4))
            worker_stats.recalculated(result, queue, pipe, held.keys, trace)
    except (SourceUnavailable, StoreUnavailable, redis.RedisError) as error:
        _let_go(held, tenant_ids)
        worker_stats.put_off(error, held.redis, held.keys)
        raise self.retry(exc=DaybookError(str(error)), countdown=_retry_in_s(self.request.retries)) from error
    log.info(
        "recalculated",
        verdicts=dict(Counter(outcome.status for outcome in outcomes)),
        queue=queue,
        ms=round(result.duration_seconds * 1000, 1),
        queued_ms=trace.queued_ms,
    )
    if self.request.ignore_result:
        return None  # Celery would write it out as text and hand it from process to process all the same
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

    Called by the schedule it queues those whose turn it is, however many beats tick: of the tenants that somebody looks at
    each once per CACHE_TIMEOUT, of all others once per COLD_TIMEOUT.
    """
    held = resources()
    if not scheduled:
        return _sweep(held.source.tenant_ids(), expires_s=settings.cache_timeout_s)
    if _claim_slot(held, "forget", settings.cache_timeout_s):
        held.alerts.forget_old()
    hot = _sweep_some(held, "hot", held.looked.everyone, settings.cache_timeout_s)
    return hot + _sweep_some(held, "cold", lambda: _not_looked_at(held), settings.cold_timeout_s)


def _not_looked_at(held: Resources) -> list[str]:
    looked_at = set(held.looked.everyone())
    return [tenant_id for tenant_id in held.source.tenant_ids() if tenant_id not in looked_at]


def _sweep_some(held: Resources, who: str, tenants: Callable[[], list[str]], period_s: int) -> int:
    """Queue those of the tenants whose turn has come since this was last done."""
    if not _claim_slot(held, f"sweep {who}", sweep.tick_s(period_s)):
        return 0
    since, now_s = held.redis.get(held.keys.swept(who)), held.looked.now_s()
    due = sweep.whose_turn(tenants(), since_s=float(since) if since else None, until_s=now_s, period_s=period_s)
    queued = _sweep(due, expires_s=period_s)
    # Only now: a tick that is lost in between is made up for by the next one.
    held.redis.set(held.keys.swept(who), now_s)
    return queued


def _sweep(tenant_ids: list[str], *, expires_s: int) -> int:
    for start in range(0, len(tenant_ids), BATCH_SIZE):
        recalculate.apply_async(
            args=[tenant_ids[start : start + BATCH_SIZE]],
            queue="sweep",
            expires=expires_s,
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


def _recompute(tenant_id: str) -> str:
    """Compute the tenant here and now; says how that ended, "failed" if not even that is known."""
    done = recalculate.apply(args=[[tenant_id]])
    return str(done.result["outcomes"][0]["status"]) if done.successful() else "failed"


@app.task(name="dashboard.ingest", bind=True, max_retries=RETRIES)
def ingest(self: Task, lines: str) -> dict[str, Any]:
    """Write documents of the contract, one JSON object a line; returns how many lines were written, deleted, unchanged and
    refused, and of the first refused ones number and reason."""
    if not isinstance(lines, str):
        raise TypeError("dashboard.ingest takes one text of JSON lines")
    refusals: list[Refusal] = []
    try:
        # Half of a character, which JSON can bring in, makes its own line bad and no other.
        documents = lines.encode(errors="surrogatepass").split(b"\n")
        done = ingest_documents(resources().engine, documents, refused=refusals.append)
    except SourceUnavailable as error:
        raise self.retry(exc=DaybookError(str(error)), countdown=_retry_in_s(self.request.retries)) from error
    log.info("ingested", lines=done.lines, written=done.written, deleted=done.deleted, refused=done.refused)
    return {
        "written": done.written,
        "deleted": done.deleted,
        "unchanged": done.unchanged,
        "refused": done.refused,
        "refusals": [{"line": one.line, "reason": one.reason} for one in refusals[:MOST_REFUSALS_TOLD]],
    }


# Whoever asked waits for two seconds and asks again: nobody is served by a second try.
@app.task(name="dashboard.receipt", acks_late=False)
def receipt(tenant_id: str, question: dict[str, Any]) -> dict[str, Any]:
    """Make the documents behind a number ready in Redis; takes a shared.receipts.Question, returns a Made."""
    held = resources()
    made = make_receipt(
        tenant_id,
        msgspec.convert(question, Question),
        source=held.source,
        reader=held.reader,
        store=ReceiptStore(held.redis, held.keys),
        recompute=_recompute,
    )
    reply: dict[str, Any] = msgspec.to_builtins(made)
    return reply


@app.task(name="dashboard.mend_totals", acks_late=False)
def mend_totals() -> int:
    """Make totals of past days anew, where changes did not tell which days they touched; returns of how many tenants."""
    held = resources()
    if not _claim_slot(held, "mend", MEND_EVERY_S):
        return 0
    return len(held.source.make_totals_anew(BATCH_SIZE))


@app.task(name="dashboard.pulse")
def pulse() -> None:
    """Prove that tasks are finished and say how the database answers; the web process knows it from nothing else."""
    held = resources()
    database_ms: float | None = None
    database_error: str | None = None
    oldest_change: int | None = None
    database_ahead_ms: int | None = None
    try:
        answered_ms = round(held.source.ping(), 2)
        held.source.require_readable()
        oldest_change = held.source.oldest_change()
        database_ahead_ms = held.source.ahead_ms()
        database_ms = answered_ms
    except SourceUnavailable as error:
        cause = error.__cause__ or error
        database_error = type(getattr(cause, "orig", None) or cause).__name__
        log.warning("database_refuses", reason=str(error))
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
