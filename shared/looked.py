"""Which tenants somebody looks at: web processes say so in Redis, and the workers compute these at once.

One sorted set, `Keys.looked`: the tenant, and the second when somebody last had a socket or stream open or read anything.
Seconds are those of Redis' own clock, so that web processes and workers need not agree on the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis

from shared.keys import Keys

# After the last look a tenant stays hot for so long.
HOT_S = 3600

_MARK = """
local now = tonumber(redis.call('TIME')[1])
local cold = {}
for i = 2, #ARGV do
  local at = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if not at or tonumber(at) < now - ARGV[1] then cold[#cold + 1] = ARGV[i] end
  redis.call('ZADD', KEYS[1], now, ARGV[i])
end
return cold
"""


class Looked:
    """Every call raises redis.RedisError when Redis is away."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._key = keys.looked
        self._mark = client.register_script(_MARK)

    def mark(self, tenant_ids: Sequence[str]) -> set[str]:
        """Somebody looks at these now; returns those at whom nobody had looked."""
        if not tenant_ids:
            return set()
        cold: list[bytes] = self._mark(keys=[self._key], args=[HOT_S, *tenant_ids])
        return {tenant_id.decode() for tenant_id in cold}

    def among(self, tenant_ids: Sequence[str]) -> set[str]:
        """Those of the tenants that somebody looks at."""
        if not tenant_ids:
            return set()
        with self._client.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.zmscore(self._key, list(tenant_ids))
            (now_s, _), looked = pipe.execute()
        since = now_s - HOT_S
        return {tenant_id for tenant_id, at in zip(tenant_ids, looked, strict=True) if at is not None and at >= since}

    def everyone(self) -> list[str]:
        """All tenants that somebody looks at; forgets those at which nobody looks any more."""
        since = self.now_s() - HOT_S
        self._client.zremrangebyscore(self._key, "-inf", f"({since}")
        found: Any = self._client.zrange(self._key, 0, -1)
        return [tenant_id.decode() for tenant_id in found]

    def now_s(self) -> int:
        """Seconds of Redis' clock."""
        seconds, _ = self._client.time()
        return int(seconds)
