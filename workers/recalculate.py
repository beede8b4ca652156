"""The story in order: load facts and what is pending → compute → write and publish → judge alerts → keep the day's close and
settle.

Every effect is an argument, so that the order itself can be tested. One tenant's bad data never stops another's: a batch
that cannot be loaded is halved until the culprit is alone, and a tenant that cannot be computed keeps its last snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Protocol

import structlog

from shared.errors import DaybookError, SourceUnavailable, StoreUnavailable
from shared.outcomes import Outcome
from shared.store import SnapshotWriter, SourceState
from shared.versions import BoardVersion
from workers.alerts import AlertKeeper
from workers.facts import Close, ShownMonths, TenantFacts
from workers.kpi.dashboard import dashboard
from workers.remembered import Computed, Memory
from workers.source import Explanation, Fingerprint, Loaded, Remembered

log = structlog.get_logger()


class Database(Protocol):
    """What a recalculation asks of PostgreSQL; see workers/source/."""

    def pending(self, tenant_ids: Sequence[str]) -> dict[str, list[int]]: ...
    def mend(self, tenant_ids: Sequence[str]) -> None: ...
    def load(
        self, tenant_ids: Sequence[str], *, unless_behind: bool = False, remembered: Remembered | None = None
    ) -> Loaded: ...
    def touched_documents(
        self, facts: TenantFacts, spans: Mapping[str, tuple[date, date]]
    ) -> dict[tuple[str, str], tuple[str, ...]]: ...
    def keep_closes(
        self,
        closes: Mapping[str, Close],
        state: SourceState,
        settled: Sequence[int] = (),
        months: Mapping[str, ShownMonths] | None = None,
    ) -> None: ...
    def keep_unsettled(self, tenant_ids: Sequence[str]) -> None: ...
    def forget_past(self, tenant_ids: Sequence[str], pending: Sequence[int]) -> None: ...
    def give_up(self, changes: Sequence[int]) -> None: ...
    def make_due(self, tenant_ids: Sequence[str]) -> None: ...
    def explain(self, tenant_id: str, error: Exception) -> Explanation: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outside:
    """Everything that a recalculation touches."""

    source: Database
    writer: SnapshotWriter
    alerts: AlertKeeper
    memory: Memory
    now: Callable[[], datetime]
    lap: Callable[[str], None]


def recalculate(
    tenant_ids: Sequence[str],
    *,
    source: Database,
    writer: SnapshotWriter,
    alerts: AlertKeeper,
    memory: Memory,
    now: Callable[[], datetime],
    lap: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:
    """Recompute each tenant once; outcomes in the order of the (distinct) ids. `memory` is what this process
    remembers from one call to the next; `lap` is told each stage that has ended.

    Raises SourceUnavailable or StoreUnavailable when PostgreSQL or Redis is away: then nothing was settled, and the
    same call made again later does the work.
    """
    wanted = list(dict.fromkeys(tenant_ids))
    lap("start")
    outcomes = _halving(wanted, _Outside(source=source, writer=writer, alerts=alerts, memory=memory, now=now, lap=lap))
    return [outcomes[tenant_id] for tenant_id in wanted]


def report_failure(
    tenant_id: str,
    reason: str,
    *,
    writer: SnapshotWriter,
    alerts: AlertKeeper,
    about: str | None = None,
    state: SourceState | None = None,
) -> Outcome:
    """The tenant keeps its last snapshot, marked failing, and is told so; unless one was made of a later state than `state`.

    `reason` is the operator's; `about` says in words for the owner which value it is about.
    """
    since_ms = writer.mark_failing(tenant_id, reason, state)
    if since_ms is None:
        return Outcome(tenant_id=tenant_id, status="refused")
    alerts.fail(tenant_id, since_ms=since_ms, about=about)
    return Outcome(tenant_id=tenant_id, status="failed", reason=reason)


def _halving(tenant_ids: Sequence[str], outside: _Outside) -> dict[str, Outcome]:
    try:
        loaded = _loaded(tenant_ids, outside)
    except (SourceUnavailable, StoreUnavailable):
        raise
    except Exception:  # noqa: BLE001 (whatever one tenant's rows do, the others are computed)
        if len(tenant_ids) > 1:
            middle = len(tenant_ids) // 2
            halves = (tenant_ids[:middle], tenant_ids[middle:])
            return {k: v for half in halves for k, v in _halving(half, outside).items()}
        return _once_more(tenant_ids[0], outside)
    return _publish(loaded, outside)


def _loaded(tenant_ids: Sequence[str], outside: _Outside) -> Loaded:
    """The facts, with totals of past days that are up to date: those are mended before facts are read, or everybody's would
    be read twice for one tenant's sake. On cash basis nearly every change touches them."""
    remembered = outside.memory.fingerprint
    loaded = outside.source.load(tenant_ids, unless_behind=True, remembered=remembered)
    if not loaded.past_behind:
        return loaded
    outside.source.mend(tenant_ids)
    return outside.source.load(tenant_ids, remembered=remembered)


def _once_more(tenant_id: str, outside: _Outside) -> dict[str, Outcome]:
    """Of a tenant that cannot be loaded, give up what was pending before it was tried: what comes later is tried again."""
    pending = outside.source.pending([tenant_id]).get(tenant_id, [])
    try:
        loaded = _loaded([tenant_id], outside)
    except (SourceUnavailable, StoreUnavailable):
        raise
    except Exception as error:  # noqa: BLE001 (the same)
        outcome = _failed(tenant_id, error, outside)
        outside.source.give_up(pending)
        return {tenant_id: outcome}
    return _publish(loaded, outside)


def _publish(loaded: Loaded, outside: _Outside) -> dict[str, Outcome]:
    outside.lap("read")
    outcomes = {tenant_id: Outcome(tenant_id=tenant_id, status="unknown") for tenant_id in loaded.unknown}
    computed = {
        tenant_id: outside.memory.again(tenant_id, clock, computed_at=outside.now())
        for tenant_id, clock in loaded.unchanged.items()
    }
    for tenant_id, facts in loaded.facts.items():
        try:
            computed[tenant_id] = _computed(facts, loaded.fingerprints.get(tenant_id), outside)
        except (SourceUnavailable, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 (the same)
            outcomes[tenant_id] = _failed(tenant_id, error, outside, loaded.state)
    outside.lap("compute")
    if loaded.unknown:
        outside.writer.remove(sorted(loaded.unknown), loaded.state)
        outside.alerts.remove(sorted(loaded.unknown))
        outside.source.forget_past(sorted(loaded.unknown), loaded.pending)
    candidates = [one.candidate(loaded.state) for one in computed.values()]
    accepted: dict[str, BoardVersion | None] = {}
    for candidate, written in zip(candidates, outside.writer.write(candidates), strict=True):
        tenant_id = candidate.tenant_id
        if written.verdict != "refused":
            accepted[tenant_id] = written.board
        outcomes[tenant_id] = Outcome(
            tenant_id=tenant_id,
            status=written.verdict,
            version=str(written.version) if written.version else None,
            performance_score=computed[tenant_id].snapshot.performance_score,
        )
    outside.lap("write")
    _judge_alerts(accepted, computed, loaded, outside)
    closes = {tenant_id: close for tenant_id in accepted if (close := computed[tenant_id].close) is not None}
    months = {tenant_id: shown for tenant_id in accepted if (shown := computed[tenant_id].months) is not None}
    outside.source.keep_closes(closes, loaded.state, loaded.pending, months)
    outside.lap("settle")
    outside.source.keep_unsettled(loaded.unsettled_due)
    return outcomes


def _computed(facts: TenantFacts, fingerprint: Fingerprint | None, outside: _Outside) -> Computed:
    """The tenant's dashboard. Where a closed month has changed, which is seen only then, with the documents that did it."""
    made = dashboard(facts, computed_at=outside.now())
    if made.restated:
        touched = outside.source.touched_documents(facts, {one.month: one.days for one in made.restated})
        made = dashboard(replace(facts, touched=touched), computed_at=outside.now())
    computed = Computed.of(facts, made)
    outside.memory.remember(fingerprint, facts, made, computed)
    return computed


def _judge_alerts(
    shown: Mapping[str, BoardVersion | None], computed: Mapping[str, Computed], loaded: Loaded, outside: _Outside
) -> None:
    changed = outside.alerts.judge(
        {tenant_id: computed[tenant_id].judgement() for tenant_id in shown},
        known={tenant_id: computed[tenant_id].known for tenant_id in shown},
        revisions=loaded.board_revisions,
        shown=shown,
        state=loaded.state,
    )
    # A later computation that found nothing to change left no trace in the alerts, so ours may just have undone what it
    # relied on. It left one in Redis, though: then the tenant is judged once more.
    if overtaken := outside.writer.overtaken(changed, loaded.state):
        outside.source.make_due(overtaken)


def _failed(tenant_id: str, error: Exception, outside: _Outside, state: SourceState | None = None) -> Outcome:
    why = outside.source.explain(tenant_id, error)
    expected = isinstance(error, DaybookError)
    log.error("recalculation_failed", tenant_id=tenant_id, reason=why.reason, exc_info=None if expected else error)
    return report_failure(
        tenant_id, why.reason, writer=outside.writer, alerts=outside.alerts, about=why.about, state=state
    )
