"""What has to be read from Redis: tenants in the order in which they became due, read in batches until it works."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable

import gevent
import structlog
from gevent.event import Event

from shared.errors import StoreUnavailable

log = structlog.get_logger()

READ_AT_ONCE = 200
BACKOFF_S = (0.1, 1.0)
AGAIN_AFTER_S = 1.0


class ReadQueue:
    """Calls `read` with tenants that are due. It raises StoreUnavailable when Redis is away; they stay due then."""

    def __init__(self, read: Callable[[list[str]], None]) -> None:
        self._read = read
        self._tenants: dict[str, None] = {}
        self._wake = Event()

    def add(self, tenant_ids: Iterable[str]) -> None:
        """Make tenants due; those that are already stay where they are."""
        self._tenants.update(dict.fromkeys(tenant_ids))
        if self._tenants:
            self._wake.set()

    def read_forever(self) -> None:
        """Never returns."""
        delay_s = BACKOFF_S[0]
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._tenants:
                batch = self._next_batch()
                try:
                    self._read(batch)
                except StoreUnavailable:
                    self.add(batch)
                    gevent.sleep(delay_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads attempts, guards nothing
                    delay_s = min(2 * delay_s, BACKOFF_S[1])
                else:
                    delay_s = BACKOFF_S[0]
                    gevent.sleep(0)

    def _next_batch(self) -> list[str]:
        # Taken out before the reading: a notice that comes during it makes the tenant due again.
        batch = list(itertools.islice(self._tenants, READ_AT_ONCE))
        for tenant_id in batch:
            del self._tenants[tenant_id]
        return batch


def surviving(loop: Callable[[], None]) -> None:
    """Run a loop that must not end; what it did not expect is logged, and it begins anew."""
    while True:
        try:
            loop()
        except Exception:
            log.exception("loop_failed", loop=loop.__qualname__)
            gevent.sleep(AGAIN_AFTER_S)
