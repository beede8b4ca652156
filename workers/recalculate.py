"""The story in order: note what is pending → load facts → compute → write and publish → keep the day's close → settle.

Every effect is an argument, so that the order itself can be tested. One tenant's bad data never stops another's: a batch
that cannot be loaded is halved until the culprit is alone, and a tenant that cannot be computed keeps its last snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from shared.errors import DaybookError, InvalidData, SourceUnavailable, StoreUnavailable
from shared.outcomes import Outcome
from shared.snapshot import content_digest, encode
from shared.store import Candidate, SnapshotWriter, SourceState
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


def recalculate(
    tenant_ids: Sequence[str], *, source: Database, writer: SnapshotWriter, now: Callable[[], datetime]
) -> list[Outcome]:
    """Recompute each tenant once; outcomes in the order of the (distinct) ids.

    Raises SourceUnavailable or StoreUnavailable when PostgreSQL or Redis is away: then nothing was settled, and the
    same call made again later does the work.
    """
    wanted = list(dict.fromkeys(tenant_ids))
    pending = source.pending(wanted)
    outcomes = _halving(wanted, source=source, writer=writer, now=now)
    source.settle([change for changes in pending.values() for change in changes])
    return [outcomes[tenant_id] for tenant_id in wanted]


def _halving(
    tenant_ids: Sequence[str], *, source: Database, writer: SnapshotWriter, now: Callable[[], datetime]
) -> dict[str, Outcome]:
    try:
        loaded = source.load(tenant_ids)
    except (SourceUnavailable, StoreUnavailable):
        raise
    except Exception as error:  # noqa: BLE001 (whatever one tenant's rows do, the others are computed)
        if len(tenant_ids) > 1:
            middle = len(tenant_ids) // 2
            halves = (tenant_ids[:middle], tenant_ids[middle:])
            return {k: v for half in halves for k, v in _halving(half, source=source, writer=writer, now=now).items()}
        return {tenant_ids[0]: _failed(tenant_ids[0], error, writer)}
    return _publish(loaded, source=source, writer=writer, now=now)


def _publish(
    loaded: Loaded, *, source: Database, writer: SnapshotWriter, now: Callable[[], datetime]
) -> dict[str, Outcome]:
    outcomes = {tenant_id: Outcome(tenant_id=tenant_id, status="unknown") for tenant_id in loaded.unknown}
    computed: dict[str, Dashboard] = {}
    candidates: list[Candidate] = []
    for tenant_id, facts in loaded.facts.items():
        try:
            computed[tenant_id] = dashboard(facts, computed_at=now())
            candidates.append(_candidate(computed[tenant_id], loaded.state))
        except Exception as error:  # noqa: BLE001 (the same)
            outcomes[tenant_id] = _failed(tenant_id, error, writer)
    if loaded.unknown:
        writer.remove(sorted(loaded.unknown), loaded.state)
    closes: dict[str, Close] = {}
    for candidate, written in zip(candidates, writer.write(candidates), strict=True):
        made = computed[candidate.tenant_id]
        if written.verdict != "refused":
            closes[candidate.tenant_id] = made.close
        outcomes[candidate.tenant_id] = Outcome(
            tenant_id=candidate.tenant_id,
            status=written.verdict,
            version=str(written.version) if written.version else None,
            performance_score=made.snapshot.performance_score,
        )
    source.keep_closes(closes, loaded.state)
    return outcomes


def _candidate(made: Dashboard, state: SourceState) -> Candidate:
    return Candidate(
        tenant_id=made.snapshot.user_id,
        source=state,
        digest=content_digest(made.snapshot, made.overview),
        snapshot=encode(made.snapshot),
        overview=encode(made.overview),
    )


def _failed(tenant_id: str, error: Exception, writer: SnapshotWriter) -> Outcome:
    reason = error.reason if isinstance(error, InvalidData) else type(error).__name__
    expected = isinstance(error, DaybookError)
    log.error("recalculation_failed", tenant_id=tenant_id, reason=reason, exc_info=None if expected else error)
    writer.mark_failing(tenant_id, reason)
    return Outcome(tenant_id=tenant_id, status="failed", reason=reason)
