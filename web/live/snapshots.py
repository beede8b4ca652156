"""Snapshots as a replica: what this process holds, who follows it, and what they are told. REST reads from the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import gevent
import structlog
from prometheus_client import Counter
from redis.client import Pipeline

from shared.errors import DaybookError
from shared.notices import Notice
from shared.store import SnapshotReader
from shared.versions import Version
from shared.views import View
from web.live.freshness import FRESH, Freshness, Reason, Staleness
from web.live.held import Gone, Held
from web.live.looking import Looking
from web.live.mailbox import Form, Mailbox, Update
from web.live.replica import Replica
from web.live.snapshot_reader import Snapshot, StoreReader
from web.live.stages import Stages
from web.redis.circuit import Circuit

log = structlog.get_logger()

PAST_EPOCHS = 4
# A reading this young answers a client that asks for the newest: whatever changed since then sends a notice.
YOUNG_S = 0.5
# A snapshot that Redis lost is computed again within a second or two; only then is its absence worth a word.
MISSING_AFTER_S = 2.0
# A host that loads its tenants anew has none of them for a moment; only who stays away is refused for good.
REFUSED_AFTER_S = 60.0


class Remedies(Protocol):
    """The commands that mend what Redis lost. They may raise DaybookError, and are called again later."""

    def ask(self, tenant_id: str) -> None: ...
    def end_epoch(self, tenant_id: str, seen: Version) -> None: ...


@dataclass(slots=True)
class Audience:
    """The clients of one tenant in this process, and what they were told of its freshness."""

    mailboxes: set[Mailbox] = field(default_factory=set)
    announced: Staleness = FRESH

    def announce(self, staleness: Staleness) -> None:
        """Tell them, if it is not what they were told last."""
        if (staleness.stale, staleness.reason) != (self.announced.stale, self.announced.reason):
            self.announced = staleness
            for mailbox in self.mailboxes:
                mailbox.post_status(staleness)

    def deliver(self, update: Update, *, everyone: bool) -> None:
        """Put it into the mailboxes of everyone, or of those who asked for it."""
        news_at = time.monotonic() if everyone else None
        for mailbox in self.mailboxes:
            if everyone or mailbox.wanting:
                mailbox.post(update, news_at=news_at)


class Snapshots:
    """One for each process; follows the hub."""

    def __init__(
        self,
        reader: SnapshotReader,
        circuit: Circuit,
        freshness: Freshness,
        remedies: Remedies,
        looking: Looking,
        *,
        notices: Counter,
        reads: Counter,
        stages: Stages,
        on_news: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`notices` and `reads` are counted; the label of `reads` says whether what was held was the newest.

        `on_news` hears of each tenant of whom another version was read, which may be before its notice has come.
        """
        self._on_news = on_news
        self._freshness = freshness
        self._remedies = remedies
        self._looking = looking
        self._notices = notices
        self._stages = stages
        self._audiences: dict[str, Audience] = {}
        self._store = StoreReader(reader)
        self._replica = Replica(
            self._store,
            circuit,
            on_read=self._on_read,
            on_lost=lambda tenant_id, seen: gevent.spawn(self._mend, tenant_id, seen),
            on_away=self._deliver_held,
            count=lambda is_hit: reads.labels("snapshot", "held" if is_hit else "read").inc(),
            past=PAST_EPOCHS,
        )
        self.read_forever = self._replica.read_forever
        self.resync = self._replica.resync
        self.compare = self._replica.compare

    def open(self, tenant_id: str, view: View | None = None) -> Mailbox:
        """A mailbox for one client, who sees that view of it; the newest snapshot is on its way into it."""
        self._looking.look(tenant_id)
        self._replica.attend(tenant_id)
        audience = self._audiences.setdefault(tenant_id, Audience())
        mailbox = Mailbox(tenant_id, view, request=self._request, close=self._close)
        audience.mailboxes.add(mailbox)
        if audience.announced.stale:
            mailbox.post_status(audience.announced)
        self._request(mailbox)
        return mailbox

    def is_followed(self, tenant_id: str) -> bool:
        """Whether the tenant has clients here that were given a snapshot."""
        held = self._replica.held(tenant_id)
        return held is not None and held.has_clients and held.value is not None

    def newest(self, tenant_id: str) -> Snapshot | Gone | None:
        """The snapshot as the store holds it now; None when it holds none. Raises StoreUnavailable."""
        self._looking.look(tenant_id)
        found = self._replica.newest(tenant_id)
        if found is None:
            self._looking.look_again(tenant_id)
        return found

    def ask(self, pipe: Pipeline, tenant_id: str) -> None:
        """Have `pipe` ask whether what is held is the newest; its answer is for `confirm`."""
        self._looking.look(tenant_id)
        self._store.ask(pipe, tenant_id)

    def confirm(self, tenant_id: str, answer: Sequence[bytes | None], *, asked_at: float) -> Snapshot | None:
        """What is held, if that answer says that it is the newest; else `newest` has to be asked."""
        return self._replica.confirm(
            tenant_id, lambda held: self._store.told(tenant_id, held, answer), asked_at=asked_at
        )

    def held(self, tenant_id: str) -> Snapshot | None:
        """What this process has of it, for when the store cannot be asked."""
        held = self._replica.held(tenant_id)
        return held.value if held is not None else None

    def as_served(self, tenant_id: str, snapshot: Snapshot, form: Form) -> Update | None:
        """That form of the tenant's snapshot, marked as fresh or stale; None where it was not read, or is not there."""
        update = snapshot.in_form(form)
        return None if update is None else update.marked(stale=self.staleness(tenant_id, snapshot).stale)

    def staleness(self, tenant_id: str, snapshot: Snapshot) -> Staleness:
        """Whether this snapshot of the tenant can be trusted, and if not, why."""
        return self._freshness.of(snapshot.facts, looked_for_s=self._looking.looked_for_s(tenant_id))

    def doubt(self, tenant_id: str, seen: Version) -> bool:
        """A client says that it has seen `seen`: true when the store holds less of that epoch, which then must end."""
        held = self._replica.held(tenant_id)
        version = held.version if held is not None else None
        if held is None or version is None or version.epoch != seen.epoch or version.revision >= seen.revision:
            return False
        self._replica.lost(held, seen)
        return True

    def noticed(self, notice: Notice) -> None:
        """Something was published."""
        is_about_alerts = notice.alerts is not None or notice.event is not None
        if notice.tenant in self._audiences and not is_about_alerts:
            self._notices.inc()
            self._stages.heard(notice.tenant, notice)
            self._replica.read_soon([notice.tenant])

    def announce(self) -> None:
        """What holds for every tenant may have changed: tell those clients for whom it has."""
        for tenant_id, audience in list(self._audiences.items()):
            if held := self._replica.held(tenant_id):
                audience.announce(self._staleness(held))

    def wake(self) -> None:
        """Wake every client, for it to look at what has changed around it."""
        for audience in self._audiences.values():
            for mailbox in audience.mailboxes:
                mailbox.wake.set()

    def followed(self) -> list[str]:
        """The tenants with clients here."""
        return list(self._audiences)

    @property
    def clients(self) -> int:
        """How many sockets and streams this process serves."""
        return sum(len(audience.mailboxes) for audience in self._audiences.values())

    def _request(self, mailbox: Mailbox) -> None:
        mailbox.wanting = True
        held, audience = self._replica.held(mailbox.tenant_id), self._audiences[mailbox.tenant_id]
        if held and held.value and time.monotonic() - held.read_at < YOUNG_S:
            # Marked as clients were told last, which may be later than this reading.
            self._deliver(held, audience, everyone=False, stale=audience.announced.stale)
        else:
            self._replica.read_soon([mailbox.tenant_id])

    def _close(self, mailbox: Mailbox) -> None:
        if audience := self._audiences.get(mailbox.tenant_id):
            audience.mailboxes.discard(mailbox)
            if not audience.mailboxes:
                del self._audiences[mailbox.tenant_id]
                self._stages.forget(mailbox.tenant_id)
                self._replica.leave(mailbox.tenant_id)

    def _on_read(self, held: Held[Snapshot], news: bool) -> None:
        if news:
            self._on_news(held.tenant_id)
        self._stages.fetched(held.tenant_id, news=news)
        audience = self._audiences.get(held.tenant_id)
        if audience is None:
            return
        if held.gone_since is not None and time.monotonic() - held.gone_since >= REFUSED_AFTER_S:
            for mailbox in audience.mailboxes:
                mailbox.end()
            return
        audience.announce(self._staleness(held))
        self._deliver(held, audience, everyone=news, stale=audience.announced.stale)

    def _deliver_held(self) -> None:
        """Redis is away: who asked for the newest gets what this process holds, marked stale."""
        for tenant_id, audience in self._audiences.items():
            held = self._replica.held(tenant_id)
            if held and any(mailbox.wanting for mailbox in audience.mailboxes):
                self._deliver(held, audience, everyone=False, stale=True)

    def _deliver(self, held: Held[Snapshot], audience: Audience, *, everyone: bool, stale: bool) -> None:
        if held.value is not None:
            # Kept as marked, so that all clients share the frame that is made of it.
            held.value = replace(held.value, update=held.value.update.marked(stale=stale))
            audience.deliver(held.value.update, everyone=everyone)

    def _staleness(self, held: Held[Snapshot]) -> Staleness:
        """Whether what clients have is fresh, as of now."""
        if held.gone_since is not None:
            return _since(held.gone_since, "unknown_tenant")
        found = self._freshness.overall if held.value is None else self.staleness(held.tenant_id, held.value)
        if found.stale or held.missing_since is None:
            return found
        if time.monotonic() - held.missing_since < MISSING_AFTER_S:
            return found
        return _since(held.missing_since, "snapshot_missing")

    def _mend(self, tenant_id: str, seen: Version | None) -> None:
        self._looking.look_again(tenant_id)
        try:
            if seen is None:
                self._remedies.ask(tenant_id)
            else:
                log.warning("epoch_regressed", tenant_id=tenant_id, seen=str(seen))
                self._remedies.end_epoch(tenant_id, seen)
        except DaybookError as error:
            log.warning("command_not_sent", tenant_id=tenant_id, error=type(error).__name__)


def _since(moment: float, reason: Reason) -> Staleness:
    """Stale since a moment of the monotonic clock."""
    return Staleness(stale=True, since_ms=int((time.time() - (time.monotonic() - moment)) * 1000), reason=reason)
