"""Remembers for a moment that Redis did not answer, so that requests do not queue up behind its timeout."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from shared.errors import StoreUnavailable

HOLD_S = 1.0


class Circuit:
    """Open after Redis was silent or unreachable: for `hold_s` every use fails at once, then one use tries again."""

    def __init__(self, *, hold_s: float = HOLD_S) -> None:
        self._hold_s = hold_s
        self._open_until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether Redis failed to answer the last use."""
        return self._open_until is not None

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Around every use of Redis; raises StoreUnavailable, whatever redis-py raised."""
        if self._open_until is not None:
            now = time.monotonic()
            if now < self._open_until:
                raise StoreUnavailable("Redis did not answer a moment ago")
            # Only this use finds out; the others go on failing at once until it has.
            self._open_until = now + self._hold_s
        try:
            yield
        except (redis.RedisError, StoreUnavailable) as error:
            if _is_silence(error):
                self._open_until = time.monotonic() + self._hold_s
            if isinstance(error, StoreUnavailable):
                raise
            raise StoreUnavailable("Redis cannot be used") from error
        self._open_until = None


def _is_silence(error: BaseException) -> bool:
    """Whether Redis did not answer at all; a refusal such as "out of memory" is an answer."""
    cause = error.__cause__ if isinstance(error, StoreUnavailable) else error
    return isinstance(cause, redis.ConnectionError | redis.TimeoutError)
