"""How many messages one socket may send: a burst at once, then a rate. Source: SPEC 8."""

from __future__ import annotations

import time

from limits import parse


class TokenBucket:
    """Messages of one socket: `burst` at once, then `rate` on average."""

    __slots__ = ("_burst", "_left", "_per_s", "_seen_at")

    def __init__(self, rate: str, burst: int) -> None:
        item = parse(rate)
        self._per_s = item.amount / item.get_expiry()
        self._burst = float(burst)
        self._left = float(burst)
        self._seen_at = time.monotonic()

    def take(self) -> bool:
        """One token; false when there is none."""
        moment = time.monotonic()
        self._left = min(self._burst, self._left + (moment - self._seen_at) * self._per_s)
        self._seen_at = moment
        if self._left < 1:
            return False
        self._left -= 1
        return True
