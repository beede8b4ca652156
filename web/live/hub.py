"""From the notices channel to all that lives by it in this process, and the clock that compares when notices fail.

No final state is lost because everything ends in a reading of the store: after every (re)subscription, every notice, every
silence, and every few seconds by comparing versions. Notices only make it fast. Source: SPEC 5, docs/decisions/0002.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import gevent
import redis
from prometheus_client import Counter

from shared.keys import Keys
from shared.notices import Notice
from web.live.freshness import FRESH, Freshness, Staleness
from web.live.looking import Looking
from web.live.read_queue import surviving
from web.live.revocations import Revocations
from web.live.snapshots import Snapshots
from web.live.subscriber import Subscriber

TICK_S = 1.0
# While Redis does not answer it is asked more often: clients learn of it, and of its return, sooner.
TICK_AWAY_S = 0.3
COMPARE_EVERY_S = 5.0


class Follower(Protocol):
    """What lives by the notices channel. `compare` may ask Redis, and never raises; `read_forever` never returns."""

    def followed(self) -> Sequence[str]: ...
    def noticed(self, notice: Notice) -> None: ...
    def resync(self) -> None: ...
    def compare(self) -> None: ...
    def read_forever(self) -> None: ...


class Hub:
    """One for each process; `start` it after the fork."""

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        freshness: Freshness,
        snapshots: Snapshots,
        *followers: Follower,
        looking: Looking,
        revocations: Revocations,
        resyncs: Counter,
    ) -> None:
        """`followers` follow beside the snapshots; `resyncs` counts subscriptions to the channel."""
        self._freshness = freshness
        self._snapshots = snapshots
        self._followers: tuple[Follower, ...] = (*followers, snapshots)
        self._looking = looking
        self._revocations = revocations
        self._resyncs = resyncs
        self._subscriber = Subscriber(
            client, keys, heard=freshness.heard, subscribed=self._resync, noticed=self._noticed
        )
        self._is_started = False
        self.draining = False

    def start(self) -> None:
        """Begin to listen; called again it does nothing."""
        if not self._is_started:
            self._is_started = True
            loops = (
                self._subscriber.listen_forever,
                *(one.read_forever for one in self._followers),
                self._tick_forever,
                self._look_forever,
                self._revocations.check_forever,
            )
            for loop in loops:
                gevent.spawn(surviving, loop)

    def drain(self) -> None:
        """Wake every client's session so that it takes its leave; `draining` tells it why."""
        self.draining = True
        self._snapshots.wake()

    def is_draining(self) -> bool:
        """Whether this process is to end."""
        return self.draining

    @property
    def clients(self) -> int:
        """How many sockets and streams this process serves."""
        return self._snapshots.clients

    def _noticed(self, notice: Notice) -> None:
        for follower in self._followers:
            follower.noticed(notice)

    def _resync(self) -> None:
        self._resyncs.inc()
        for follower in self._followers:
            follower.resync()

    def _look_forever(self) -> None:
        self._looking.mark_forever(lambda: [tenant_id for one in self._followers for tenant_id in one.followed()])

    def _tick_forever(self) -> None:
        compare_at = time.monotonic() + COMPARE_EVERY_S
        before: Staleness | None = FRESH
        while True:
            self._freshness.observe()
            answered = self._freshness.answered_last
            # While Redis does not answer, each further question would only delay the news of it.
            if answered and self._freshness.channel_silent_s > TICK_S:
                self._subscriber.probe()
            if answered and time.monotonic() >= compare_at:
                compare_at = time.monotonic() + COMPARE_EVERY_S
                for follower in self._followers:
                    follower.compare()
                before = None
            if self._freshness.overall != before:
                before = self._freshness.overall
                self._snapshots.announce()
            gevent.sleep(TICK_S if answered else TICK_AWAY_S)
