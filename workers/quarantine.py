"""Poison: a tenant whose computation kills its worker. Found by trying alone, given up after three tries.

A task delivered again has lost its worker once. It is then worked off one tenant at a time, each counted before it is
tried; who has been counted three times without finishing is left out for a while and reported as failing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import redis
import structlog
from redis.client import Pipeline

from shared.keys import Keys
from shared.outcomes import Outcome

log = structlog.get_logger()

TRIES = 3
QUARANTINE_S = 1800
POISON = "its computation ended the worker process three times"


def guarded(
    task_id: str,
    tenant_ids: Sequence[str],
    *,
    batch_size: int,
    client: redis.Redis,
    pipe: Pipeline,
    keys: Keys,
    compute: Callable[[Sequence[str]], Iterable[Outcome]],
    report_failure: Callable[[str, str], Outcome],
) -> list[Outcome]:
    """compute() over all tenants that are not in quarantine: in batches at first, one by one after a lost worker.

    What `pipe` carries is executed before anything is computed, and what it carries thereafter is to be executed by the
    caller, whatever else he adds: then the task has ended without loss.
    """
    pipe.incr(keys.attempts(task_id))
    pipe.expire(keys.attempts(task_id), QUARANTINE_S)
    pipe.mget([keys.attempts(task_id), *(keys.poison(tenant_id) for tenant_id in tenant_ids)])
    attempts, *counts = pipe.execute()[-1]
    lost_before = int(attempts) > 1
    poisonous = {t for t, count in zip(tenant_ids, counts, strict=True) if count and int(count) >= TRIES}
    outcomes = [
        _give_up(tenant_id, report_failure) for tenant_id in dict.fromkeys(tenant_ids) if tenant_id in poisonous
    ]
    healthy = [tenant_id for tenant_id in tenant_ids if tenant_id not in poisonous]
    # Only a process that dies leaves its counts behind: whatever is raised or returned clears them.
    try:
        if lost_before:
            for tenant_id in healthy:
                outcomes.extend(_alone(tenant_id, client=client, keys=keys, compute=compute))
        else:
            for start in range(0, len(healthy), batch_size):
                outcomes.extend(compute(healthy[start : start + batch_size]))
    except BaseException:
        client.delete(keys.attempts(task_id))
        raise
    pipe.delete(keys.attempts(task_id))
    return outcomes


def _alone(
    tenant_id: str, *, client: redis.Redis, keys: Keys, compute: Callable[[Sequence[str]], Iterable[Outcome]]
) -> Iterable[Outcome]:
    client.set(keys.poison(tenant_id), 0, nx=True, ex=QUARANTINE_S)
    client.incr(keys.poison(tenant_id))
    try:
        return compute([tenant_id])
    finally:
        client.delete(keys.poison(tenant_id))


def _give_up(tenant_id: str, report_failure: Callable[[str, str], Outcome]) -> Outcome:
    log.error("tenant_quarantined", tenant_id=tenant_id, seconds=QUARANTINE_S)
    return report_failure(tenant_id, POISON)
