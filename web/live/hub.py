"""From Redis to every client of this process: one subscription, one reader, one mailbox for each client.

No final state is lost because everything ends in a reading of the store: after every (re)subscription, every notice, every
silence, and every few seconds by comparing versions. Notices only make it fast. Source: SPEC 5, docs/decisions/0002.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import gevent
import redis
import structlog

from shared.errors import DaybookError, StoreUnavailable
from shared.keys import Keys
from shared.notices import Notice
from shared.store import SnapshotReader, Stored
from shared.versions import Version
from web.live.freshness import FRESH, Freshness, Staleness
from web.live.mailbox import Subscription, Update
from web.live.read_queue import READ_AT_ONCE, Due, surviving
from web.live.replica import Watched
from web.live.subscriber import Channel
from web.ops.metrics import Metrics

log = structlog.get_logger()

TICK_S = 1.0
# While Redis does not answer it is asked more often: clients learn of it, and of its return, sooner.
TICK_AWAY_S = 0.3
COMPARE_EVERY_S = 5.0
# A reading this young answers a client that asks for the newest: whatever changed since then sends a notice.
YOUNG_S = 0.5
ASK_AGAIN_S = 5.0


class Follower(Protocol):
    """What else of the process lives by the notices channel. `compare` may ask Redis, and never raises."""

    def noticed(self, notice: Notice) -> None: ...
    def resync(self) -> None: ...
    def compare(self) -> None: ...


class Hub:
    """One for each process, started after the fork; then `subscribe`."""

    def __init__(
        self,
        client: redis.Redis,
        reader: SnapshotReader,
        keys: Keys,
        freshness: Freshness,
        metrics: Metrics,
        *,
        recalculate: Callable[[str], None],
        end_epoch: Callable[[str, Version], None],
    ) -> None:
        """`recalculate` and `end_epoch` send commands; they may raise DaybookError, and are called again later."""
        self._reader = reader
        self._freshness = freshness
        self._metrics = metrics
        self._recalculate = recalculate
        self._end_epoch = end_epoch
        self._channel = Channel(client, keys, heard=freshness.heard, subscribed=self._resync, noticed=self._noticed)
        self._watched: dict[str, Watched] = {}
        self._due = Due(self._read)
        self._followers: list[Follower] = []
        self._started = False
        self.draining = False

    def start(self) -> None:
        """Begin to listen; called again it does nothing."""
        if not self._started:
            self._started = True
            for loop in (self._channel.listen_forever, self._due.read_forever, self._tick_forever):
                gevent.spawn(surviving, loop)

    def follow(self, follower: Follower) -> None:
        """Let another part of the process hear what comes over the channel, and when it may have missed something."""
        self._followers.append(follower)

    def subscribe(self, tenant_id: str) -> Subscription:
        """A mailbox for one client, as a context manager; the newest snapshot is on its way into it."""
        self.start()
        watched = self._watched.get(tenant_id)
        if watched is None:
            watched = self._watched[tenant_id] = Watched(tenant_id)
        subscription = Subscription(tenant_id, request=self._request, close=self._close)
        watched.subscriptions.add(subscription)
        if watched.announced.stale:
            subscription.post_status(watched.announced)
        self._request(subscription)
        return subscription

    def held(self, tenant_id: str) -> Update | None:
        """The snapshot that the tenant's clients here have, None when it has none here."""
        watched = self._watched.get(tenant_id)
        return watched.update if watched else None

    def doubt(self, tenant_id: str, seen: Version) -> bool:
        """A client says that it has seen `seen`: true when the store holds less of that epoch, which then must end."""
        watched = self._watched.get(tenant_id)
        held = watched.version if watched else None
        if watched is None or held is None or held.epoch != seen.epoch or held.revision >= seen.revision:
            return False
        self._ask(watched, seen)
        return True

    def drain(self) -> None:
        """Wake every client's session so that it takes its leave; `draining` tells it why."""
        self.draining = True
        for watched in self._watched.values():
            for subscription in watched.subscriptions:
                subscription.wake.set()

    @property
    def clients(self) -> int:
        """How many sockets and streams this process serves."""
        return sum(len(watched.subscriptions) for watched in self._watched.values())

    def _request(self, subscription: Subscription) -> None:
        watched = self._watched[subscription.tenant_id]
        subscription.wanting = True
        if watched.update and time.monotonic() - watched.read_at < YOUNG_S:
            subscription.post(watched.update)
        else:
            self._due.add([subscription.tenant_id])

    def _close(self, subscription: Subscription) -> None:
        watched = self._watched.get(subscription.tenant_id)
        if watched:
            watched.subscriptions.discard(subscription)
            if not watched.subscriptions:
                del self._watched[subscription.tenant_id]

    def _noticed(self, notice: Notice) -> None:
        for follower in self._followers:
            follower.noticed(notice)
        is_about_alerts = notice.alerts is not None or notice.event is not None
        if notice.tenant in self._watched and not is_about_alerts:
            self._metrics.notices.inc()
            self._due.add([notice.tenant])

    def _resync(self) -> None:
        for follower in self._followers:
            follower.resync()
        self._metrics.resyncs.inc()
        self._due.add(self._watched)

    def _read(self, batch: list[str]) -> None:
        try:
            rows = self._reader.read_many(batch, overview=False)
        except StoreUnavailable:
            self._serve_held()
            raise
        for tenant_id, stored in zip(batch, rows, strict=True):
            if watched := self._watched.get(tenant_id):
                self._accept(watched, stored)

    def _accept(self, watched: Watched, stored: Stored) -> None:
        watched.read_at = time.monotonic()
        if stored.gone:
            watched.end()
            return
        seen = watched.seen_beyond(stored.version) if stored.version else None
        if stored.version is None or stored.snapshot is None or seen:
            # Redis lost what it held. Clients keep what they have until a new epoch replaces it.
            watched.missing()
            self._ask(watched, seen)
            news = False
        else:
            watched.missing_since = None
            watched.stored = replace(stored, snapshot=None)
            staleness = watched.staleness(self._freshness)
            news = watched.hold(Update.of(stored.snapshot, stored.version, stale=staleness.stale))
        watched.announce(watched.staleness(self._freshness))
        watched.deliver(everyone=news, stale=watched.announced.stale)

    def _serve_held(self) -> None:
        """Redis is away: who asked for the newest gets what this process holds, marked stale."""
        for watched in self._watched.values():
            if any(subscription.wanting for subscription in watched.subscriptions):
                watched.deliver(everyone=False, stale=True)

    def _ask(self, watched: Watched, seen: Version | None) -> None:
        if time.monotonic() - watched.asked_at > ASK_AGAIN_S:
            watched.asked_at = time.monotonic()
            gevent.spawn(self._command, watched.tenant_id, seen)

    def _command(self, tenant_id: str, seen: Version | None) -> None:
        try:
            if seen is None:
                self._recalculate(tenant_id)
            else:
                log.warning("epoch_regressed", tenant_id=tenant_id, seen=str(seen))
                self._end_epoch(tenant_id, seen)
        except DaybookError as error:
            log.warning("command_not_sent", tenant_id=tenant_id, error=type(error).__name__)

    def _tick_forever(self) -> None:
        compare_at = time.monotonic() + COMPARE_EVERY_S
        before: Staleness | None = FRESH
        while True:
            self._freshness.observe()
            answered = self._freshness.answered_last
            # While Redis does not answer, each further question would only delay the news of it.
            if answered and self._freshness.channel_silent_s > TICK_S:
                self._channel.probe()
            if answered and time.monotonic() >= compare_at:
                compare_at = time.monotonic() + COMPARE_EVERY_S
                self._compare()
                before = None
            if self._freshness.overall != before:
                before = self._freshness.overall
                for watched in list(self._watched.values()):
                    watched.announce(watched.staleness(self._freshness))
            gevent.sleep(TICK_S if answered else TICK_AWAY_S)

    def _compare(self) -> None:
        """The last net: read again whatever stands at another version in the store, or is missing there."""
        for follower in self._followers:
            follower.compare()
        everybody = list(self._watched.values())
        for start in range(0, len(everybody), READ_AT_ONCE):
            batch = everybody[start : start + READ_AT_ONCE]
            try:
                versions = self._reader.versions([watched.tenant_id for watched in batch])
            except StoreUnavailable:
                return
            self._due.add(
                watched.tenant_id
                for watched, version in zip(batch, versions, strict=True)
                if version != watched.version or watched.missing_since is not None
            )
