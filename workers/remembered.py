"""What a process computed lately: as long as the database says the same of a tenant, its dashboard is told again instead of
computed, at another moment.

Everything of it is read all the same, so that a change that nobody noted is found as soon as ever. What is told again goes
the way of what is computed: it is written, judged and kept, and an older state is refused.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What a recalculation has made of a tenant, as of its clock. overview: encoded; digest: of the content; known: the
    alerts that the database knew; the others as of Dashboard."""

    clock: Clock
    snapshot: Snapshot
    overview: bytes
    digest: str
    close: Close
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
            close=made.close,
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


@dataclass(frozen=True, slots=True)
class _Entry:
    fingerprint: Fingerprint
    computed: Computed
    samples: tuple[Total, ...]
    hinges_on: tuple[bool, ...]


class Memory:
    """Of the `most` tenants that were asked for last; one for each process."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._entries: dict[str, _Entry] = {}

    def fingerprint(self, tenant_id: str, clock: Clock) -> Fingerprint | None:
        """Of what the tenant's dashboard was computed from, if it can be told `again` at this moment."""
        entry = self._entries.get(tenant_id)
        if entry is None or hinges_on(clock, entry.samples) != entry.hinges_on:
            return None
        return entry.fingerprint

    def again(self, tenant_id: str, clock: Clock, *, computed_at: datetime) -> Computed:
        """The same dashboard as of this moment. Raises KeyError for a tenant without `fingerprint`."""
        # Put back as the newest: what has not been asked for longest is forgotten first.
        entry = self._entries[tenant_id] = self._entries.pop(tenant_id)
        snapshot = snapshot_at(entry.computed.snapshot, entry.samples, clock, computed_at=computed_at)
        overview = overview_at(entry.computed.overview, as_of=snapshot.as_of, computed_at=instant(computed_at))
        return replace(entry.computed, clock=clock, snapshot=snapshot, overview=overview)

    def remember(
        self, fingerprint: Fingerprint | None, facts: TenantFacts, made: Dashboard, computed: Computed
    ) -> None:
        """What was made of these facts; None, or facts of which more than rows decides: forget the tenant."""
        self._entries.pop(facts.tenant.tenant_id, None)
        if fingerprint is None or not follows_from_rows_alone(facts, made):
            return
        decides = hinges_on(facts.clock, made.samples)
        self._entries[facts.tenant.tenant_id] = _Entry(fingerprint, computed, made.samples, decides)
        if len(self._entries) > self._most:
            del self._entries[next(iter(self._entries))]
