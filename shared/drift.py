"""What is kept of a tenant whose snapshot an audit found wrong, in the hash `Keys.drift`: since when, and which fields."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import redis

from shared.keys import Keys

MOST_LINES = 3


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """since_ms: when an audit found it first. lines: some of the fields that differed when it was found last."""

    since_ms: int
    lines: tuple[str, ...] = ()


def keep_drift(client: redis.Redis, keys: Keys, tenant_id: str, lines: Sequence[str]) -> None:
    """The tenant drifts, since now unless it did already."""
    known = drifts(client, keys, [tenant_id]).get(tenant_id)
    since_ms = known.since_ms if known else time.time_ns() // 1_000_000
    drift = Drift(since_ms=since_ms, lines=tuple(lines[:MOST_LINES]))
    client.hset(keys.drift, tenant_id, msgspec.json.encode(drift))


def forget_drift(client: redis.Redis, keys: Keys, tenant_id: str) -> None:
    """The tenant was found clean, or is gone."""
    client.hdel(keys.drift, tenant_id)


def drifts(client: redis.Redis, keys: Keys, tenant_ids: Sequence[str]) -> dict[str, Drift]:
    """What is known of the drift of these tenants; one of a version that wrote no such thing is left out."""
    found = client.hmget(keys.drift, list(tenant_ids)) if tenant_ids else []
    return {
        tenant_id: msgspec.json.decode(kept, type=Drift)
        for tenant_id, kept in zip(tenant_ids, found, strict=True)
        if kept
    }
