"""What `bin/dash doctor` finds of Redis, and, by what they leave there, of workers and tenants."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import redis

from cli.doctor.check import Check, clock
from cli.tenants import State, troubled
from shared.keys import Keys
from shared.pulse import PULSE_STALE_AFTER_S, Pulse
from shared.settings import Settings

OLDEST_REDIS = (6, 2)
MOST_TENANTS_NAMED = 20
_ADVICE: Mapping[State, str] = {
    "failing": "mend the row or the view; its next change, or bin/dash recalculate, computes it again",
    "drifting": "docs/operations.md, Drift",
}


def server(client: redis.Redis) -> Iterator[Check]:
    """Its version, and whether it keeps what it is given."""
    info: dict[str, Any] = client.info()
    version = str(info.get("valkey_version") or info["redis_version"])
    product = "Valkey" if "valkey_version" in info else "Redis"
    # Valkey reports the Redis version that it is compatible with beside its own.
    compatible = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    new_enough = compatible >= OLDEST_REDIS
    yield Check(
        name="redis",
        status="ok" if new_enough else "fail",
        detail=f"{product} {version}",
        advice="" if new_enough else "needs Redis 6.2 or newer",
    )
    policy = info.get("maxmemory_policy", "noeviction")
    evicts = policy != "noeviction"
    yield Check(
        name="redis memory",
        status="warn" if evicts else "ok",
        detail=f"maxmemory-policy {policy}",
        advice="set maxmemory-policy noeviction: an evicted queue loses tasks" if evicts else "",
    )
    persistent = bool(info.get("aof_enabled"))
    yield Check(
        name="redis persistence",
        status="ok" if persistent else "warn",
        detail="append-only" if persistent else "not append-only",
        advice="" if persistent else "set appendonly yes: a restart then loses neither tasks nor snapshots",
    )
    seconds, microseconds = client.time()
    yield clock("redis clock", seconds + microseconds / 1e6)


def workers(client: redis.Redis, keys: Keys) -> Iterator[Check]:
    """Whether workers and the change listener are at work, by what they leave in Redis."""
    stored, listened = client.mget(keys.pulse, keys.listener)
    start = "start the worker and beat processes of the Procfile, and look at their output"
    if stored is None:
        yield Check(name="workers", status="fail", detail="no task has finished yet", advice=start)
    else:
        age_s = time.time() - msgspec.json.decode(stored, type=Pulse).at_ms / 1000
        alive = age_s <= PULSE_STALE_AFTER_S
        yield Check(
            name="workers",
            status="ok" if alive else "fail",
            detail=f"last task finished {max(age_s, 0):.0f} s ago",
            advice="" if alive else start,
        )
    listener_age_s = time.time() - int(listened) / 1000 if listened else None
    listening = listener_age_s is not None and listener_age_s <= PULSE_STALE_AFTER_S
    yield Check(
        name="change listener",
        status="ok" if listening else "fail",
        detail="never seen" if listener_age_s is None else f"last pass {max(listener_age_s, 0):.0f} s ago",
        advice="" if listening else "start the changes process of the Procfile, and look at its output",
    )


def tenants(client: redis.Redis, settings: Settings) -> Iterator[Check]:
    """Tenants that fail or drift."""
    found = troubled(client, settings)
    if not found:
        yield Check(name="computations", status="ok", detail="no tenant fails or drifts")
    for tenant in found[:MOST_TENANTS_NAMED]:
        yield Check(
            name=f"tenant {tenant.state}",
            status="fail",
            detail=f"{tenant.tenant_id} since {tenant.since}: {tenant.reason}",
            advice=_ADVICE[tenant.state],
        )
    if more := found[MOST_TENANTS_NAMED:]:
        all_of_them = "bin/dash tenants --failing --drifting"
        yield Check(name="tenants", status="fail", detail=f"{len(more):,} more", advice=all_of_them)
