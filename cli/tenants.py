"""`bin/dash tenants`: how each tenant is, from what Redis holds; and for doctor, those that fail or drift."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import redis
from sqlalchemy import Engine, text

from shared.drift import Drift, drifts
from shared.keys import Keys
from shared.looked import Looked
from shared.settings import Settings
from shared.store import SnapshotReader, Stored

State = Literal["failing", "drifting", "stale", "waiting", "ok"]
Order = Literal["slowest", "largest", "hottest"]

# A snapshot that has missed two sweeps is marked stale: the same bound as in web/live/freshness.py.
SWEEPS_MISSED = 2
_AT_ONCE = 1000

_TENANTS = text("SELECT tenant_id FROM dashboard.tenant WHERE tenant_id IS NOT NULL ORDER BY tenant_id")
_DOCUMENTS = text("""
    SELECT tenant_id, count(*) AS documents FROM (
        SELECT tenant_id FROM dashboard.invoice UNION ALL SELECT tenant_id FROM dashboard.payment
        UNION ALL SELECT tenant_id FROM dashboard.expense UNION ALL SELECT tenant_id FROM dashboard.quote
    ) AS document
    WHERE tenant_id IS NOT NULL GROUP BY tenant_id
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantState:
    """One tenant. state: the worst that holds; since: of that; as_of: when its rows were read (both UTC ISO 8601).

    ms: its share of the newest task that computed it. connections: open sockets and streams. documents: None unless asked
    for.
    """

    tenant_id: str
    state: State
    since: str | None
    reason: str | None
    version: str | None
    as_of: str | None
    ms: float | None
    connections: int
    documents: int | None = None

    def __str__(self) -> str:
        documents = "" if self.documents is None else f"{self.documents:>9,}"
        ms = "" if self.ms is None else f"{self.ms:.1f}"
        words = " ".join(filter(None, (self.since and f"since {self.since}", self.reason)))
        return f"{self.tenant_id:<24} {self.state:<8} {ms:>8} {self.connections:>5}{documents}  {words}".rstrip()


HEAD = f"{'tenant':<24} {'state':<8} {'ms':>8} {'open':>5}"
"""Above the lines of tenants; `documents` follows where they are counted."""


def head(order: Order | None) -> str:
    """The line above the tenants."""
    return HEAD + (f"{'documents':>9}" if order == "largest" else "")


def tenant_ids(engine: Engine) -> list[str]:
    """Every tenant that the database knows, in the order of the ids."""
    with engine.connect() as connection:
        return [*connection.execute(_TENANTS).scalars()]


def documents(engine: Engine) -> dict[str, int]:
    """How many invoices, payments, expenses and quotes each tenant has. Reads all of them."""
    with engine.connect() as connection:
        return {row.tenant_id: row.documents for row in connection.execute(_DOCUMENTS)}


def chosen(states: Iterable[TenantState], wanted: Sequence[State], order: Order | None) -> list[TenantState]:
    """Those in one of the wanted states (none: any), the slowest, largest or hottest first."""
    kept = [one for one in states if not wanted or one.state in wanted]
    measures = {
        "slowest": lambda one: one.ms or 0,
        "largest": lambda one: one.documents or 0,
        "hottest": lambda one: one.connections,
    }
    return kept if order is None else sorted(kept, key=measures[order], reverse=True)


def look(
    ids: Sequence[str],
    client: redis.Redis,
    settings: Settings,
    *,
    counted: Mapping[str, int] | None = None,
) -> Iterator[TenantState]:
    """The state of each of these tenants, in their order. Raises redis.RedisError or StoreUnavailable."""
    keys = Keys(settings.key_prefix)
    reader = SnapshotReader(client, keys)
    looked = Looked(client, keys)
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        stored = reader.read_many(some, snapshot=False, overview=False)
        drifting = drifts(client, keys, some)
        hot = looked.among(some)
        with client.pipeline(transaction=False) as pipe:
            pipe.zmscore(keys.cost, [*some])
            for tenant_id in some:
                pipe.zcount(keys.connections(tenant_id), time.time(), "+inf")
            costs, *connections = pipe.execute()
        for tenant_id, held, ms, count in zip(some, stored, costs, connections, strict=True):
            sweep_s = settings.cache_timeout_s if tenant_id in hot else settings.cold_timeout_s
            state, since_ms, reason = _state(held, drifting.get(tenant_id), late_after_s=SWEEPS_MISSED * sweep_s)
            yield TenantState(
                tenant_id=tenant_id,
                state=state,
                since=_iso(since_ms),
                reason=reason,
                version=str(held.version) if held.version else None,
                as_of=_iso(held.as_of_ms),
                ms=ms,
                connections=count,
                documents=None if counted is None else counted.get(tenant_id, 0),
            )


def troubled(client: redis.Redis, settings: Settings) -> list[TenantState]:
    """The tenants that fail or drift. Raises redis.RedisError or StoreUnavailable."""
    keys = Keys(settings.key_prefix)
    named: list[Any] = [*client.smembers(keys.failing), *client.smembers(keys.drifting)]
    ids = sorted({tenant_id.decode() for tenant_id in named})
    return chosen(look(ids, client, settings), ("failing", "drifting"), None)


def _state(held: Stored, drift: Drift | None, *, late_after_s: float) -> tuple[State, int | None, str | None]:
    if held.failing is not None:
        return "failing", held.failing_since_ms, held.failing
    if drift is not None:
        return "drifting", drift.since_ms, "; ".join(drift.lines)
    if held.version is None or held.as_of_ms is None:
        return "waiting", None, "no snapshot yet"
    late_ms = held.as_of_ms + round(late_after_s * 1000)
    if time.time() * 1000 > late_ms:
        return "stale", late_ms, "not computed for two sweeps"
    return "ok", None, None


def _iso(ms: int | None) -> str | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
