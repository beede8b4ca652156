"""Whom this process's clients look at: said in Redis, so that the workers keep exactly these tenants up to the second.

A tenant at whom nobody has looked for a while may be behind by as long as its changes may wait: whoever looks gets at once
what there is, and a computation is asked for. Source: SPEC 5 and 8.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

import structlog
from gevent.event import Event

from shared.errors import DaybookError
from shared.looked import HOT_S, Looked
from web.redis.circuit import Circuit

log = structlog.get_logger()

# Far more often than the workers forget; a look in between costs this process nothing.
MARK_EVERY_S = 60.0
RETRY_S = 1.0
# When many begin to look at once their tenants share computations, each at a third of the cost of one alone; so few that the
# first ones are there in the same moment.
TENANTS_PER_TASK = 20


class Looking:
    """One for each process; `mark_forever` runs in a greenlet of its own."""

    def __init__(self, looked: Looked, circuit: Circuit, *, ask: Callable[[Sequence[str]], None]) -> None:
        """`ask` has tenants computed, and may raise DaybookError."""
        self._looked = looked
        self._circuit = circuit
        self._ask = ask
        self._since: dict[str, float] = {}
        self._marked_at: dict[str, float] = {}
        self._unmarked: set[str] = set()
        self._unasked: set[str] = set()
        self._wake = Event()

    def look(self, tenant_id: str) -> None:
        """Somebody opens a socket or a stream, or reads."""
        if tenant_id not in self._marked_at:
            self._since.setdefault(tenant_id, time.monotonic())
            self._unmarked.add(tenant_id)
            self._wake.set()

    def look_again(self, tenant_id: str) -> None:
        """The store has lost what it held of the tenant, so it may not know any more that somebody looks."""
        marked_at = self._marked_at.get(tenant_id)
        if marked_at is not None and time.monotonic() - marked_at > RETRY_S:
            del self._marked_at[tenant_id]
            self.look(tenant_id)

    def looked_for_s(self, tenant_id: str) -> float:
        """How long somebody here has looked at the tenant."""
        since = self._since.get(tenant_id)
        return 0.0 if since is None else time.monotonic() - since

    def mark_forever(self, followed: Callable[[], Iterable[str]]) -> None:
        """Say it at once of who is new, and again and again of those with open sockets and streams: `followed`."""
        while True:
            is_all_said = self._say(followed())
            self._wake.clear()
            self._wake.wait(MARK_EVERY_S / 4 if is_all_said else RETRY_S)

    def _say(self, followed: Iterable[str]) -> bool:
        self._forget()
        marking = [*self._unmarked, *(tenant_id for tenant_id in followed if tenant_id not in self._marked_at)]
        try:
            with self._circuit.guard():
                self._unasked |= self._looked.mark(list(dict.fromkeys(marking)))
            self._marked_at.update(dict.fromkeys(marking, time.monotonic()))
            self._unmarked.difference_update(marking)
            while together := list(islice(self._unasked, TENANTS_PER_TASK)):
                self._ask(together)
                self._unasked.difference_update(together)
        except DaybookError as error:
            log.warning("look_not_said", tenants=len(marking), error=type(error).__name__)
            return False
        return not self._unmarked

    def _forget(self) -> None:
        now = time.monotonic()
        self._marked_at = {tenant_id: at for tenant_id, at in self._marked_at.items() if now - at < MARK_EVERY_S}
        self._since = {
            tenant_id: since
            for tenant_id, since in self._since.items()
            if tenant_id in self._marked_at or tenant_id in self._unmarked or now - since < HOT_S
        }
