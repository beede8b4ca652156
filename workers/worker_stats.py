"""What a worker leaves in Redis for /metrics and the pulse. Counting never fails the work that is counted."""

from __future__ import annotations

import time
from collections import Counter

import msgspec
import redis
import structlog
from redis.client import Pipeline

from shared.counters import COMPUTED, RETRIED, SECONDS, TASKS, TENANTS, Tally
from shared.errors import SourceUnavailable
from shared.keys import Keys
from shared.outcomes import Recalculation
from shared.pulse import Pulse
from workers.stages import Trace

log = structlog.get_logger()


def recalculated(result: Recalculation, queue: str, pipe: Pipeline, keys: Keys, trace: Trace | None = None) -> None:
    """Count one finished task with its stages, and keep which tenants fail and what each took; with what `pipe`
    carries, whose errors are raised."""
    tally = Tally()
    if trace is not None:
        trace.count(tally)
    tally.count(TASKS, queue)
    tally.observe(SECONDS, result.duration_seconds)
    tally.observe(TENANTS, len(result.outcomes))
    for status, count in Counter(outcome.status for outcome in result.outcomes).items():
        tally.count(COMPUTED, status, count)
    failed = [outcome.tenant_id for outcome in result.outcomes if outcome.status == "failed"]
    well = [outcome.tenant_id for outcome in result.outcomes if outcome.status != "failed"]
    gone = [outcome.tenant_id for outcome in result.outcomes if outcome.status == "unknown"]
    carried = len(pipe)
    tally.queue(pipe, keys)
    if failed:
        pipe.sadd(keys.failing, *failed)
    if well:
        pipe.srem(keys.failing, *well)
        share_ms = 1000 * result.duration_seconds / len(result.outcomes)
        pipe.zadd(keys.cost, dict.fromkeys(well, share_ms))
    if gone:
        pipe.zrem(keys.cost, *gone)
    for place, answer in enumerate(pipe.execute(raise_on_error=False)):
        if isinstance(answer, redis.RedisError):
            if place < carried:
                raise answer
            log.warning("not_counted", error=type(answer).__name__)


def put_off(error: Exception, client: redis.Redis, keys: Keys) -> None:
    """Count a task that is tried again because something was away."""
    tally = Tally()
    tally.count(RETRIED, "database" if isinstance(error, SourceUnavailable) else "redis")
    try:
        tally.add_to(client, keys)
    except redis.RedisError:
        return  # it is away: nobody can count, and web says so


def beat(
    client: redis.Redis,
    keys: Keys,
    *,
    database_ms: float | None,
    database_error: str | None,
    oldest_change: int | None,
    database_ahead_ms: int | None = None,
) -> None:
    """Write the pulse. Raises redis.RedisError when Redis is away."""
    with client.pipeline(transaction=False) as pipe:
        pipe.get(keys.pulse)
        pipe.scard(keys.failing)
        pipe.scard(keys.drifting)
        before, failing, drifting = pipe.execute()
    now_ms = time.time_ns() // 1_000_000
    seen = _decoded(before)
    # Rows carry no time, they must be cheap to write: a change has waited since a pulse first saw it as the oldest.
    if database_error is not None:
        oldest_change, since_ms = seen.oldest_change, seen.oldest_since_ms
    elif oldest_change is None or oldest_change != seen.oldest_change:
        since_ms = None if oldest_change is None else now_ms
    else:
        since_ms = seen.oldest_since_ms
    pulse = Pulse(
        at_ms=now_ms,
        database_ms=database_ms,
        database_error=database_error,
        failing=failing,
        drifting=drifting,
        oldest_change=oldest_change,
        oldest_since_ms=since_ms,
        database_ahead_ms=seen.database_ahead_ms if database_ahead_ms is None else database_ahead_ms,
    )
    client.set(keys.pulse, msgspec.json.encode(pulse))


def _decoded(pulse: bytes | None) -> Pulse:
    try:
        return msgspec.json.decode(pulse or b"", type=Pulse)
    except msgspec.DecodeError:
        return Pulse(at_ms=0, database_ms=None)
