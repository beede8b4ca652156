"""Open sockets and streams whose token is revoked: found together, with one question for many of them.

Each by itself would have to be woken for it, again and again, though it has nothing to do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import gevent
from gevent.event import Event

from shared.errors import StoreUnavailable
from web.live.lifetime import Lifetime

# With the time that it takes to ask, a second.
CHECK_EVERY_S = 0.7
ASK_AT_ONCE = 500


class Revocations:
    """One for each process; `check_forever` runs in a greenlet of its own."""

    def __init__(self, revoked: Callable[[Sequence[str]], Collection[str]]) -> None:
        """`revoked` tells which of these token ids are; it may raise StoreUnavailable."""
        self._revoked = revoked
        self._watched: dict[Lifetime, Event] = {}

    @contextmanager
    def watched(self, lifetime: Lifetime, wake: Event) -> Iterator[None]:
        """Meanwhile `wake` is set when the token is revoked, which `lifetime` knows then."""
        self.watch(lifetime, wake)
        try:
            yield
        finally:
            self.leave(lifetime)

    def watch(self, lifetime: Lifetime, wake: Event) -> None:
        """The same until `leave`."""
        self._watched[lifetime] = wake

    def leave(self, lifetime: Lifetime) -> None:
        """The client is gone; more than once does no harm."""
        self._watched.pop(lifetime, None)

    def check_forever(self) -> None:
        """Never returns."""
        while True:
            gevent.sleep(CHECK_EVERY_S)
            self.check()

    def check(self) -> None:
        """Ask once for all tokens; while Redis is away nothing is known."""
        holders = defaultdict(list)
        for lifetime, wake in self._watched.items():
            if (token_id := lifetime.caller.token_id) is not None:
                holders[token_id].append((lifetime, wake))
        token_ids = list(holders)
        for start in range(0, len(token_ids), ASK_AT_ONCE):
            try:
                revoked = self._revoked(token_ids[start : start + ASK_AT_ONCE])
            except StoreUnavailable:
                return
            for token_id in revoked:
                for lifetime, wake in holders[token_id]:
                    lifetime.revoke(token_id)
                    wake.set()
