"""Rates per tenant, counted in Redis and, while Redis is away, in this process. Source: SPEC 8."""

from __future__ import annotations

import time
from typing import Literal

import redis
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from shared.errors import StoreUnavailable
from shared.keys import Keys
from shared.settings import Settings
from web.http.problems import Allowance, TooMany
from web.redis.circuit import Circuit

Kind = Literal["requests", "streams", "recalculations"]

# A window begins with its first request. One round trip gives what the limiter's own Redis storage needs three for.
_HIT = """
local used = redis.call('INCR', KEYS[1])
local left_ms = redis.call('PTTL', KEYS[1])
if left_ms < 0 then
  left_ms = ARGV[1] * 1000
  redis.call('PEXPIRE', KEYS[1], left_ms)
end
return {used, left_ms}
"""


class Limiter:
    """Counts requests, openings and recalculations; what is over the rate is refused."""

    def __init__(self, client: redis.Redis, keys: Keys, circuit: Circuit, settings: Settings) -> None:
        self._rates: dict[Kind, RateLimitItem] = {
            "requests": parse(settings.rate_requests),
            "streams": parse(settings.rate_streams),
            "recalculations": parse(settings.rate_recalculations),
        }
        self._prefix = keys.limits
        self._circuit = circuit
        self._script = client.register_script(_HIT)
        self._here = FixedWindowRateLimiter(MemoryStorage())

    def hit(self, kind: Kind, tenant_id: str) -> Allowance:
        """Count one and say what is left; raises TooMany when that was one too many."""
        rate = self._rates[kind]
        try:
            with self._circuit.guard():
                used, left_ms = self._script(keys=[f"{self._prefix}:{kind}:{tenant_id}"], args=[rate.get_expiry()])
            left = rate.amount - used
            allowance = Allowance(limit=rate.amount, remaining=max(0, left), reset_s=left_ms / 1000)
        except StoreUnavailable:
            left, allowance = self._hit_here(rate, kind, tenant_id)
        if left < 0:
            raise TooMany(f"More than {rate.amount} {kind} in {rate.get_expiry()} s.", allowance)
        return allowance

    def _hit_here(self, rate: RateLimitItem, kind: Kind, tenant_id: str) -> tuple[int, Allowance]:
        allowed = self._here.hit(rate, kind, tenant_id)
        reset_at, remaining = self._here.get_window_stats(rate, kind, tenant_id)
        allowance = Allowance(limit=rate.amount, remaining=remaining, reset_s=max(0.0, reset_at - time.time()))
        return (remaining if allowed else -1), allowance
