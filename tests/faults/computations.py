"""How often a tenant was computed: what Redis holds is watched closely, since an unchanged snapshot sends no notice."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import redis

from tests.stack import Stack

LOOK_EVERY_S = 0.004


@dataclass
class Computations:
    """Times at which the tenant's rows were read, as its snapshots say."""

    as_of: list[int] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Computations since counting began."""
        return max(0, len(self.as_of) - 1)


@contextlib.contextmanager
def counted(stack: Stack, tenant_id: str) -> Iterator[Computations]:
    """Count the tenant's computations from now on."""
    found = Computations()
    done = threading.Event()

    def look() -> None:
        with redis.Redis.from_url(stack.valkey.url()) as client:
            while not done.wait(LOOK_EVERY_S):
                as_of = int(client.hget(stack.keys.snapshot(tenant_id), "as_of") or 0)
                if not found.as_of or as_of != found.as_of[-1]:
                    found.as_of.append(as_of)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()
