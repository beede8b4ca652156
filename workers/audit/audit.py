"""The audit: is what Redis serves what the database implies? Tenant by tenant, against the independent calculation.

Only a comparison that must come out equal counts. A snapshot shows the rows as they were at its `as_of`; they are still
the same now if every change since has been settled, that is if a snapshot that has seen it is in Redis. So: read Redis,
then open one database snapshot, see that no change of the tenant waits in it, calculate at `as_of` from its rows, and read
Redis again. If it still holds the same, nothing came in between, and whatever differs is drift.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import redis
import structlog
from sqlalchemy import Connection, Engine, text

from shared.counters import AUDITED, Tally
from shared.drift import forget_drift, keep_drift
from shared.errors import DaybookError, SourceUnavailable
from shared.keys import Keys
from shared.store import SnapshotReader, Stored
from shared.thresholds import AlertThresholds
from workers.audit.recount import differences, expected
from workers.database import one_state
from workers.source.failures import translate_database_errors
from workers.unsettled.known import doubt_settled

log = structlog.get_logger()

SAMPLE = 5
# The independent calculation reads every row of a tenant: some seconds for so many. By hand there is no such bound.
MOST_ROWS = 50_000
# No tenant is begun after this time, so that a task ends well before its limit.
BUDGET_S = 8.0
TRIES = 3
MOST_LINES_LOGGED = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Rows in tables or behind views of the host's own: does anything tell us when they change?
_CAPTURED = text("""
    SELECT NOT EXISTS (
        SELECT FROM pg_class AS relation
        WHERE relnamespace = 'dashboard'::regnamespace AND relname IN ('tenant', 'client', 'invoice', 'payment',
              'allocation', 'expense', 'quote', 'recurring', 'fx_rate') AND NOT EXISTS (
            SELECT FROM pg_trigger
            WHERE tgrelid = relation.oid AND tgname = 'dashboard_insert' AND tgenabled <> 'D'))
""")
_WAITING = text("SELECT EXISTS (SELECT FROM dashboard.change WHERE tenant_id IN (:tenant_id, '*'))")
_KNOWN = text("SELECT EXISTS (SELECT FROM dashboard.tenant WHERE tenant_id = :tenant_id)")
_ROWS = text("""
    SELECT count(*) FROM (
        (SELECT FROM dashboard.invoice WHERE tenant_id = :tenant_id LIMIT :most)
        UNION ALL (SELECT FROM dashboard.payment WHERE tenant_id = :tenant_id LIMIT :most)
        UNION ALL (SELECT FROM dashboard.allocation WHERE tenant_id = :tenant_id LIMIT :most)
        UNION ALL (SELECT FROM dashboard.expense WHERE tenant_id = :tenant_id LIMIT :most)
        UNION ALL (SELECT FROM dashboard.quote WHERE tenant_id = :tenant_id LIMIT :most)
    ) AS counted
""")
_SAMPLE = text("SELECT tenant_id FROM dashboard.tenant ORDER BY random() LIMIT :size")

Verdict = Literal["clean", "drift", "skipped"]
# unsettled, moved, missing: look again, a computation was or is under way. The others stand.
Reason = Literal["unsettled", "moved", "missing", "unknown", "computation_failing", "too_many_rows", "not_calculable"]
_AGAIN: tuple[Reason, ...] = ("unsettled", "moved", "missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What an audit found of one tenant. lines: every field that differs, or what stopped the calculation."""

    tenant_id: str
    verdict: Verdict
    reason: Reason | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Looks at tenants one by one. `recompute` recalculates one here and now; `most_rows`: None = however many;
    `thresholds`: where alert rules begin for tenants without their own."""

    engine: Engine
    reader: SnapshotReader
    recompute: Callable[[str], object]
    most_rows: int | None = MOST_ROWS
    thresholds: AlertThresholds = field(default_factory=AlertThresholds)

    def sample(self, size: int = SAMPLE) -> list[str]:
        """So many tenants, chosen at random."""
        with translate_database_errors(), self.engine.begin() as connection:
            return list(connection.execute(_SAMPLE, {"size": size}).scalars())

    def findings(self, tenant_ids: Iterable[str], *, budget_s: float | None = None) -> Iterator[Finding]:
        """A finding for each tenant, until the time is up. A tenant that drifts has been recomputed when it is told.

        Raises SourceUnavailable or StoreUnavailable when PostgreSQL or Redis is away.
        """
        started = time.monotonic()
        with translate_database_errors(), self.engine.begin() as connection:
            captured = bool(connection.execute(_CAPTURED).scalar_one())
        for tenant_id in tenant_ids:
            if budget_s is not None and time.monotonic() - started > budget_s:
                return
            finding = self._examine(tenant_id, captured=captured)
            if finding.verdict == "drift":
                self._doubt(tenant_id)
                self.recompute(tenant_id)
            yield finding

    def _doubt(self, tenant_id: str) -> None:
        """Something may have changed that no trigger saw: what counts as settled is looked through again."""
        with translate_database_errors(), self.engine.begin() as connection:
            doubt_settled(connection, [tenant_id])

    def _examine(self, tenant_id: str, *, captured: bool) -> Finding:
        """Where nothing tells of changes, only what a fresh computation gets wrong, every time, is drift."""
        finding = Finding(tenant_id=tenant_id, verdict="skipped", reason="missing")
        for _ in range(TRIES):
            if not captured:
                self.recompute(tenant_id)
            finding = self._look(tenant_id)
            if finding.reason in _AGAIN:
                self.recompute(tenant_id)
            elif finding.verdict != "drift" or captured:
                break
        return finding

    def _look(self, tenant_id: str) -> Finding:
        stored = self.reader.read(tenant_id)
        if stored.failing is not None:
            return Finding(tenant_id=tenant_id, verdict="skipped", reason="computation_failing")
        try:
            with translate_database_errors([tenant_id]), one_state(self.engine) as connection:
                found = self._compare(connection, tenant_id, stored)
        except SourceUnavailable:
            raise
        except (DaybookError, ArithmeticError, ValueError, TypeError) as error:
            lines = (f"{type(error).__name__}: {error}",)
            return Finding(tenant_id=tenant_id, verdict="skipped", reason="not_calculable", lines=lines)
        if _identity(self.reader.read(tenant_id)) != _identity(stored):
            return Finding(tenant_id=tenant_id, verdict="skipped", reason="moved")
        return found

    def _compare(self, connection: Connection, tenant_id: str, stored: Stored) -> Finding:
        reason = self._obstacle(connection, tenant_id, stored)
        if reason:
            return Finding(tenant_id=tenant_id, verdict="skipped", reason=reason)
        if not connection.execute(_KNOWN, {"tenant_id": tenant_id}).scalar_one():
            lines = ["snapshot: the tenant does not exist, served all the same"]
        else:
            moment = _EPOCH + timedelta(milliseconds=stored.as_of_ms or 0)
            wanted = expected(connection, tenant_id, now=moment, thresholds=self.thresholds)
            lines = differences(wanted, _parsed(stored.snapshot), _parsed(stored.overview))
        return Finding(tenant_id=tenant_id, verdict="drift" if lines else "clean", lines=tuple(lines))

    def _obstacle(self, connection: Connection, tenant_id: str, stored: Stored) -> Reason | None:
        if connection.execute(_WAITING, {"tenant_id": tenant_id}).scalar_one():
            return "unsettled"
        if stored.snapshot is None:
            known = connection.execute(_KNOWN, {"tenant_id": tenant_id}).scalar_one()
            return "missing" if known else "unknown"
        if self.most_rows is not None:
            counted = connection.execute(_ROWS, {"tenant_id": tenant_id, "most": self.most_rows + 1}).scalar_one()
            return "too_many_rows" if counted > self.most_rows else None
        return None


def drifting(client: redis.Redis, keys: Keys) -> list[str]:
    """Tenants that drifted and have not been found clean since. Raises redis.RedisError when Redis is away."""
    found: Any = client.smembers(keys.drifting)
    return sorted(tenant_id.decode() for tenant_id in found)


def report(finding: Finding) -> None:
    """Log what somebody has to look at."""
    if finding.lines:
        event = "audit_drift" if finding.verdict == "drift" else "audit_not_calculable"
        lines = finding.lines[:MOST_LINES_LOGGED]
        log.error(event, tenant_id=finding.tenant_id, lines=lines, found=len(finding.lines))


def record(finding: Finding, client: redis.Redis, keys: Keys) -> None:
    """Count it, and keep who drifts until found clean or gone. Raises redis.RedisError when Redis is away."""
    if finding.verdict == "drift":
        client.sadd(keys.drifting, finding.tenant_id)
        keep_drift(client, keys, finding.tenant_id, finding.lines)
    elif finding.verdict == "clean" or finding.reason == "unknown":
        client.srem(keys.drifting, finding.tenant_id)
        forget_drift(client, keys, finding.tenant_id)
    tally = Tally()
    tally.count(AUDITED, finding.verdict)
    tally.add_to(client, keys)


def _identity(stored: Stored) -> tuple[object, ...]:
    return stored.version, stored.as_of_ms, stored.failing, stored.snapshot is None


def _parsed(body: bytes | None) -> Any:
    return json.loads(body or b"{}", parse_float=Decimal)
