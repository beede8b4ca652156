"""One tenant as a process knows it while somebody here watches it: what its clients have, and what they were told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from shared.store import ABSENT, Stored
from shared.versions import Version
from web.live.freshness import FRESH, Freshness, Staleness
from web.live.mailbox import Subscription, Update

PAST_EPOCHS = 4
# A snapshot that Redis lost is computed again within a second or two; only then is its absence worth a word.
MISSING_AFTER_S = 2.0
_NEVER = -1e9


@dataclass(slots=True)
class Watched:
    """Versions that clients see never go back within an epoch, whatever the store says."""

    tenant_id: str
    subscriptions: set[Subscription] = field(default_factory=set)
    update: Update | None = None
    stored: Stored = ABSENT
    announced: Staleness = FRESH
    past: tuple[Version, ...] = ()
    read_at: float = _NEVER
    asked_at: float = _NEVER
    missing_since: float | None = None

    @property
    def version(self) -> Version | None:
        """The version that clients have."""
        return self.update.version if self.update else None

    def seen_beyond(self, version: Version) -> Version | None:
        """A later version of the same epoch that clients have seen; then `version` must not reach them."""
        seen = (self.update.version, *self.past) if self.update else self.past
        return next((v for v in seen if v.epoch == version.epoch and v.revision > version.revision), None)

    def hold(self, update: Update) -> bool:
        """Hold `update` from now on; true when its version is news to those who have the one held before."""
        held, self.update = self.version, update
        if held is None or held == update.version:
            return held is None
        if held.epoch != update.version.epoch:
            self.past = (held, *(v for v in self.past if v.epoch != held.epoch))[:PAST_EPOCHS]
        return True

    def missing(self) -> None:
        """The store does not hold what it should."""
        if self.missing_since is None:
            self.missing_since = time.monotonic()

    def staleness(self, freshness: Freshness) -> Staleness:
        """Whether what clients have is fresh, as of now."""
        found = freshness.of(self.stored)
        if found.stale or self.missing_since is None:
            return found
        missing_s = time.monotonic() - self.missing_since
        if missing_s < MISSING_AFTER_S:
            return found
        return Staleness(stale=True, since_ms=int((time.time() - missing_s) * 1000), reason="snapshot_missing")

    def announce(self, staleness: Staleness) -> None:
        """Tell the clients, if it is not what they were told last."""
        if (staleness.stale, staleness.reason) != (self.announced.stale, self.announced.reason):
            self.announced = staleness
            for subscription in self.subscriptions:
                subscription.post_status(staleness)

    def deliver(self, *, everyone: bool, stale: bool) -> None:
        """Put what is held into the mailboxes of everyone, or of those who asked for it."""
        if self.update is None:
            return
        self.update = self.update.marked(stale=stale)
        for subscription in self.subscriptions:
            if everyone or subscription.wanting:
                subscription.post(self.update)

    def end(self) -> None:
        """The tenant is gone: so are its clients."""
        for subscription in self.subscriptions:
            subscription.end()
