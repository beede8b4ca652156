"""What a process computed lately: as long as the database says the same of a tenant, its dashboard is told again instead of
computed, at another moment.

Everything of it is read all the same, so that a change that nobody noted is found as soon as ever. What is told again goes
the way of what is computed: it is written, judged and kept, and an older state is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.snapshot import Snapshot, content_digest, encode, instant, overview_at
from shared.store import Candidate, SourceState
from workers.alerts.lifecycle import Judgement
from workers.facts import Clock, Close, KnownAlert, ShownMonths, TenantFacts
from workers.kpi.alerts import Held
from workers.kpi.dashboard import Dashboard, follows_from_rows_alone, hinges_on, snapshot_at
from workers.kpi.totals import Total
from workers.source import Fingerprint

# About 35 kB each.
MOST_REMEMBERED = 1000
# Who was asked for within this time makes room for nobody: so of more tenants than are remembered, each computed in turn,
# some are told again and not none, and those that somebody looks at stay, whoever else changes.
STAYS_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What a recalculation has made of a tenant, as of its clock. overview: encoded; digest: of the content; close: None
    where it is kept already; known: the alerts that the database knew; the others as of Dashboard."""

    clock: Clock
    snapshot: Snapshot
    overview: bytes
    digest: str
    close: Close | None
    held: tuple[Held, ...]
    months: ShownMonths | None
    known: tuple[KnownAlert, ...]

    @classmethod
    def of(cls, facts: TenantFacts, made: Dashboard) -> Computed:
        """What was made of these facts."""
        overview = encode(made.overview)
        return cls(
            clock=facts.clock,
            snapshot=made.snapshot,
            overview=overview,
            digest=content_digest(made.snapshot, overview),
            # Writing what is there already would wait for the disk all the same.
            close=None if made.close in facts.closes else made.close,
            held=made.held,
            months=made.months,
            known=facts.alerts,
        )

    def candidate(self, state: SourceState) -> Candidate:
        """For the store, as computed from `state`."""
        return Candidate(
            tenant_id=self.snapshot.user_id,
            source=state,
            digest=self.digest,
            snapshot=encode(self.snapshot),
            overview=self.overview,
        )

    def judgement(self) -> Judgement:
        """For the alerts."""
        return Judgement(today=self.clock.today, at=self.clock.as_of, held=self.held)


@dataclass(slots=True)
class _Entry:
    fingerprint: Fingerprint
    computed: Computed
    samples: tuple[Total, ...]
    hinges_on: tuple[bool, ...]
    asked_at: float


class Memory:
    """One for each process."""

    def __init__(self, most: int = MOST_REMEMBERED, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self._most = most
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    def fingerprint(self, tenant_id: str, clock: Clock) -> Fingerprint | None:
        """Of what the tenant's dashboard was computed from, if it can be told `again` at this moment."""
        entry = self._entries.get(tenant_id)
        if entry is None or hinges_on(clock, entry.samples) != entry.hinges_on:
            return None
        return entry.fingerprint

    def again(self, tenant_id: str, clock: Clock, *, computed_at: datetime) -> Computed:
        """The same dashboard as of this moment. Raises KeyError for a tenant without `fingerprint`."""
        # Put back as the newest: the first one is who has not been asked for longest.
        entry = self._entries[tenant_id] = self._entries.pop(tenant_id)
        entry.asked_at = self._clock()
        snapshot = snapshot_at(entry.computed.snapshot, entry.samples, clock, computed_at=computed_at)
        overview = overview_at(entry.computed.overview, as_of=snapshot.as_of, computed_at=instant(computed_at))
        return replace(entry.computed, clock=clock, snapshot=snapshot, overview=overview)

    def remember(
        self, fingerprint: Fingerprint | None, facts: TenantFacts, made: Dashboard, computed: Computed
    ) -> None:
        """What was made of these facts; None, or facts of which more than rows decides: forget the tenant."""
        tenant_id = facts.tenant.tenant_id
        self._entries.pop(tenant_id, None)
        if fingerprint is not None and follows_from_rows_alone(facts, made) and self._has_room():
            decides = hinges_on(facts.clock, made.samples)
            self._entries[tenant_id] = _Entry(fingerprint, computed, made.samples, decides, self._clock())

    def _has_room(self) -> bool:
        if len(self._entries) < self._most:
            return True
        oldest = next(iter(self._entries))
        if self._clock() - self._entries[oldest].asked_at < STAYS_S:
            return False
        del self._entries[oldest]
        return True
