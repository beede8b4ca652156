"""What this process holds of each tenant: kept true by notices, by resync after each subscription, by slow comparison.

One promise, whatever is held: what clients were given never goes back, and everything ends in a reading of the store.
Bounded: of the tenants that have no clients here only those are kept that were read last. Source: SPEC 5, decision 0002.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Protocol

from shared.errors import StoreUnavailable
from web.live.held import NEVER, Gone, Held, T
from web.live.read_queue import READ_AT_ONCE, ReadQueue
from web.redis.circuit import Circuit

MOST_IDLE = 512
ASK_AGAIN_S = 5.0


class Reader(Protocol[T]):
    """How the store is asked. None: it holds nothing. Everything raises StoreUnavailable when Redis does not answer."""

    def read_many(self, tenant_ids: Sequence[str]) -> Sequence[T | Gone | None]:
        """What clients are told of, for many tenants in one round trip."""

    def read(self, tenant_id: str) -> T | Gone | None:
        """The whole of one tenant."""

    def confirm(self, tenant_id: str, held: T) -> T | None:
        """`held`, with what may change without a new version; None when the store must be read. Costs little."""

    def versions(self, tenant_ids: Sequence[str]) -> Sequence[Any]:
        """Only the versions, None where there is none."""

    def merged(self, before: T, after: T) -> T:
        """`after` with what only `before` has, and what was already made of it."""


class Replica(Generic[T]):
    """One for each kind of thing. `read_forever` runs in a greenlet of its own."""

    def __init__(
        self,
        reader: Reader[T],
        circuit: Circuit,
        *,
        on_read: Callable[[Held[T], bool], None],
        on_lost: Callable[[str, Any], None],
        on_away: Callable[[], None] = lambda: None,
        count: Callable[[bool], None] = lambda _: None,
        past: int = 0,
    ) -> None:
        """`on_read` hears of each reading, and whether it brought news; `on_away` that one failed for clients here.

        `on_lost` hears that the store lost what it held, with a version that clients have seen beyond what is there, if
        that is known. It may be slow. `count` hears of each question for the newest whether the held one was it. `past`:
        so many lineages are remembered, lest one that comes back brings something older.
        """
        self._reader = reader
        self._circuit = circuit
        self._on_read = on_read
        self._on_lost = on_lost
        self._on_away = on_away
        self._count = count
        self._past = past
        self._held: dict[str, Held[T]] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()
        self._queue = ReadQueue(self._read)
        self.read_forever = self._queue.read_forever

    def attend(self, tenant_id: str) -> Held[T]:
        """A first client is here: from now on it is kept true. Whatever was held may be old until it is read."""
        held = self._held.setdefault(tenant_id, Held(tenant_id))
        if not held.has_clients:
            held.has_clients, held.missing_since, held.read_at = True, None, NEVER
            self._idle.pop(tenant_id, None)
        return held

    def leave(self, tenant_id: str) -> None:
        """The last client is gone: it is kept for whoever reads next, while there is room."""
        if held := self._held.get(tenant_id):
            held.has_clients = False
            self._keep_idle(held)

    def held(self, tenant_id: str) -> Held[T] | None:
        """What there is of the tenant without asking the store."""
        return self._held.get(tenant_id)

    def newest(self, tenant_id: str) -> T | Gone | None:
        """What the store holds now, read as a whole only if that is not what is held; raises StoreUnavailable.

        None when the store holds nothing. Never older than what anybody here was given.
        """
        held = self._held.get(tenant_id)
        found: T | Gone | None = None
        began = time.monotonic()
        with self._circuit.guard():
            if held is not None and held.value is not None:
                found = self._reader.confirm(tenant_id, held.value)
            self._count(found is not None)
            if found is None:
                began = time.monotonic()
                found = self._reader.read(tenant_id)
        # Others may have read meanwhile, and the tenant may have been put away.
        held = self._held.setdefault(tenant_id, Held(tenant_id))
        self._take(held, found, began)
        if not held.has_clients:
            self._keep_idle(held)
        return found if found is None or isinstance(found, Gone) else held.value

    def confirm(self, tenant_id: str, confirmed: Callable[[T], T | None], *, asked_at: float) -> T | None:
        """What is held, where an answer of the store confirms that it is the newest; else None.

        `confirmed`: Reader.confirm of what is held, by that answer, which was asked for at that moment of time.monotonic().
        """
        held = self._held.get(tenant_id)
        found = None if held is None or held.value is None else confirmed(held.value)
        self._count(found is not None)
        if held is None or found is None:
            return None
        self._take(held, found, asked_at)
        if not held.has_clients:
            self._keep_idle(held)
        return held.value

    def read_soon(self, tenant_ids: Iterable[str]) -> None:
        """Read these tenants as soon as Redis lets us."""
        self._queue.add(tenant_ids)

    def resync(self) -> None:
        """Notices may have been missed."""
        self.read_soon(self._attended())

    def compare(self) -> None:
        """The last net: read again whatever stands at another version in the store, or is missing there. Never raises."""
        everybody = self._attended()
        for start in range(0, len(everybody), READ_AT_ONCE):
            batch = everybody[start : start + READ_AT_ONCE]
            try:
                versions = self._reader.versions(batch)
            except StoreUnavailable:
                return
            self.read_soon(
                tenant_id
                for tenant_id, version in zip(batch, versions, strict=True)
                if (held := self._held.get(tenant_id))
                and (version is None or version != held.version or held.missing_since is not None)
            )

    def lost(self, held: Held[T], seen: Any) -> None:
        """The store holds less than clients have seen, or nothing: have that mended, once in a while."""
        if time.monotonic() - held.asked_at > ASK_AGAIN_S:
            held.asked_at = time.monotonic()
            self._on_lost(held.tenant_id, seen)

    def _attended(self) -> list[str]:
        return [held.tenant_id for held in self._held.values() if held.has_clients]

    def _keep_idle(self, held: Held[T]) -> None:
        self._idle.pop(held.tenant_id, None)
        if held.value is None:
            del self._held[held.tenant_id]
            return
        self._idle[held.tenant_id] = None
        if len(self._idle) > MOST_IDLE:
            oldest, _ = self._idle.popitem(last=False)
            del self._held[oldest]

    def _read(self, batch: list[str]) -> None:
        began = time.monotonic()
        try:
            rows = self._reader.read_many(batch)
        except StoreUnavailable:
            self._on_away()
            raise
        for tenant_id, found in zip(batch, rows, strict=True):
            held = self._held.get(tenant_id)
            if held is not None and held.has_clients:
                self._take(held, found, began)

    def _take(self, held: Held[T], found: T | Gone | None, began: float) -> None:
        """Take what a reading found that began then. Readings overlap, so the store may have moved on since."""
        if began < held.read_from:
            # One that began later was taken already; what changed after that one is announced by a notice.
            if held.value is not None and found is not None and not isinstance(found, Gone):
                held.value = self._reader.merged(found, held.value)
            return
        held.read_from, is_overlapped = began, began < held.read_at
        held.read_at = time.monotonic()
        news = False
        if isinstance(found, Gone):
            held.gone_since = held.gone_since or held.read_at
            held.forget()
            if held.has_clients:
                # It may be back before anything says so.
                self.lost(held, None)
        else:
            seen = None if found is None else held.seen_beyond(found.version)
            if found is not None and seen is None:
                held.missing_since = held.gone_since = None
                news = held.hold(
                    found if held.value is None else self._reader.merged(held.value, found), past=self._past
                )
            elif not is_overlapped and (held.has_clients or seen is not None):
                # Redis lost what it held. Clients keep what they have until something new replaces it.
                held.missing_since = held.missing_since or time.monotonic()
                self.lost(held, seen)
        self._on_read(held, news)
