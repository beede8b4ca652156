"""The story in order: note what is pending → load facts → compute → write and publish → judge alerts → keep the day's
close → settle.

Every effect is an argument, so that the order itself can be tested. One tenant's bad data never stops another's: a batch
that cannot be loaded is halved until the culprit is alone, and a tenant that cannot be computed keeps its last snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from shared.errors import DaybookError, InvalidData, SourceUnavailable, StoreUnavailable
from shared.outcomes import Outcome
from shared.snapshot import content_digest, encode
from shared.store import Candidate, SnapshotWriter, SourceState
from workers.alerts import AlertKeeper
from workers.alerts.lifecycle import Judgement
from workers.facts import Close
from workers.kpi.dashboard import Dashboard, dashboard
from workers.source import Loaded

log = structlog.get_logger()


class Database(Protocol):
    """What a recalculation asks of PostgreSQL; see workers/source/."""

    def pending(self, tenant_ids: Sequence[str]) -> dict[str, list[int]]: ...
    def load(self, tenant_ids: Sequence[str]) -> Loaded: ...
    def keep_closes(self, closes: Mapping[str, Close], state: SourceState) -> None: ...
    def settle(self, changes: Sequence[int]) -> None: ...
    def make_due(self, tenant_ids: Sequence[str]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outside:
    """Everything that a recalculation touches."""

    source: Database
    writer: SnapshotWriter
    alerts: AlertKeeper
    now: Callable[[], datetime]


def recalculate(
    tenant_ids: Sequence[str],
    *,
    source: Database,
    writer: SnapshotWriter,
    alerts: AlertKeeper,
    now: Callable[[], datetime],
) -> list[Outcome]:
    """Recompute each tenant once; outcomes in the order of the (distinct) ids.

    Raises SourceUnavailable or StoreUnavailable when PostgreSQL or Redis is away: then nothing was settled, and the
    same call made again later does the work.
    """
    wanted = list(dict.fromkeys(tenant_ids))
    pending = source.pending(wanted)
    outcomes = _halving(wanted, _Outside(source=source, writer=writer, alerts=alerts, now=now))
    source.settle([change for changes in pending.values() for change in changes])
    return [outcomes[tenant_id] for tenant_id in wanted]


def report_failure(tenant_id: str, reason: str, *, writer: SnapshotWriter, alerts: AlertKeeper) -> Outcome:
    """The tenant keeps its last snapshot, marked failing, and is told so; `reason` is the operator's."""
    since_ms = writer.mark_failing(tenant_id, reason)
    alerts.fail(tenant_id, since_ms=since_ms)
    return Outcome(tenant_id=tenant_id, status="failed", reason=reason)


def _halving(tenant_ids: Sequence[str], outside: _Outside) -> dict[str, Outcome]:
    try:
        loaded = outside.source.load(tenant_ids)
    except (SourceUnavailable, StoreUnavailable):
        raise
    except Exception as error:  # noqa: BLE001 (whatever one tenant's rows do, the others are computed)
        if len(tenant_ids) > 1:
            middle = len(tenant_ids) // 2
            halves = (tenant_ids[:middle], tenant_ids[middle:])
            return {k: v for half in halves for k, v in _halving(half, outside).items()}
        return {tenant_ids[0]: _failed(tenant_ids[0], error, outside)}
    return _publish(loaded, outside)


def _publish(loaded: Loaded, outside: _Outside) -> dict[str, Outcome]:
    outcomes = {tenant_id: Outcome(tenant_id=tenant_id, status="unknown") for tenant_id in loaded.unknown}
    computed: dict[str, Dashboard] = {}
    candidates: list[Candidate] = []
    for tenant_id, facts in loaded.facts.items():
        try:
            computed[tenant_id] = dashboard(facts, computed_at=outside.now())
            candidates.append(_candidate(computed[tenant_id], loaded.state))
        except Exception as error:  # noqa: BLE001 (the same)
            outcomes[tenant_id] = _failed(tenant_id, error, outside)
    if loaded.unknown:
        outside.writer.remove(sorted(loaded.unknown), loaded.state)
        outside.alerts.remove(sorted(loaded.unknown))
    accepted: list[str] = []
    for candidate, written in zip(candidates, outside.writer.write(candidates), strict=True):
        tenant_id = candidate.tenant_id
        if written.verdict != "refused":
            accepted.append(tenant_id)
        outcomes[tenant_id] = Outcome(
            tenant_id=tenant_id,
            status=written.verdict,
            version=str(written.version) if written.version else None,
            performance_score=computed[tenant_id].snapshot.performance_score,
        )
    _judge_alerts(accepted, computed, loaded, outside)
    outside.source.keep_closes({tenant_id: computed[tenant_id].close for tenant_id in accepted}, loaded.state)
    return outcomes


def _judge_alerts(
    tenant_ids: Sequence[str], computed: Mapping[str, Dashboard], loaded: Loaded, outside: _Outside
) -> None:
    clocks = {tenant_id: loaded.facts[tenant_id].clock for tenant_id in tenant_ids}
    changed = outside.alerts.judge(
        {t: Judgement(today=clocks[t].today, at=clocks[t].as_of, held=computed[t].held) for t in tenant_ids},
        known={tenant_id: loaded.facts[tenant_id].alerts for tenant_id in tenant_ids},
        revisions=loaded.board_revisions,
        state=loaded.state,
    )
    # A later computation that found nothing to change left no trace in the alerts, so ours may just have undone what it
    # relied on. It left one in Redis, though: then the tenant is judged once more.
    if overtaken := outside.writer.overtaken(changed, loaded.state):
        outside.source.make_due(overtaken)


def _candidate(made: Dashboard, state: SourceState) -> Candidate:
    return Candidate(
        tenant_id=made.snapshot.user_id,
        source=state,
        digest=content_digest(made.snapshot, made.overview),
        snapshot=encode(made.snapshot),
        overview=encode(made.overview),
    )


def _failed(tenant_id: str, error: Exception, outside: _Outside) -> Outcome:
    reason = error.reason if isinstance(error, InvalidData) else type(error).__name__
    expected = isinstance(error, DaybookError)
    log.error("recalculation_failed", tenant_id=tenant_id, reason=reason, exc_info=None if expected else error)
    return report_failure(tenant_id, reason, writer=outside.writer, alerts=outside.alerts)
