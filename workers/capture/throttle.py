"""How often row changes may recompute a tenant: one Redis key per tenant, shared by listeners and workers.

The key says "leave this tenant alone": from its dispatch until a worker takes it up, while it is computed, and for a
breath afterwards, which is short after the first computation and grows with each that follows soon. What a person's action
commits in several steps is thus shown step by step, a tenant that writes without pause is computed a few times a second
and never in parallel, two listeners send it once, and a key whose owner died expires.

Whatever the sweeper claims and computes, who is in no hurry and has many tenants in one task, yields to a claim for changes.
Then the tenant is computed twice, which harms nobody: the older result is refused.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import redis
from redis.client import Pipeline

from shared.keys import Keys

# A task not taken up within this time expires in the queue, and the tenant is dispatched again. So is one that was handed
# to a worker which froze or died in that moment, before it could say so.
QUEUED_S = 8
# As long as a computation goes on it renews its hold, so that this is only how long a dead worker's lasts.
COMPUTING_S = 5
RENEW_EVERY_S = 1.5
# The breath after the first computation, as much more after each that follows, and the longest one.
BREATH_S = 0.025
LONGEST_BREATH_S = 0.2
# So long after its last computation a tenant's next one is a first one again.
PAUSE_S = 1.0
# After a failure that another try may mend (a database or Redis away).
RETRY_S = 1.0
# Nothing is computed for a tenant in quarantine, but its changes stay due: they are asked about so seldom.
LEFT_OUT_S = 30

# Begins the value of a claim and of a hold that yield.
YIELDS = "yields "

# Who holds each of the tenants, an empty text for those that are the caller's from now on.
_CLAIM = """
local owner, for_ms, takes_over = ARGV[1], ARGV[2], ARGV[3]
local holders = {}
for i, key in ipairs(KEYS) do
  local holder = redis.call('GET', key)
  if not holder or takes_over ~= '' and string.sub(holder, 1, #takes_over) == takes_over then
    redis.call('SET', key, owner, 'PX', for_ms)
    holder = ''
  end
  holders[i] = holder
end
return holders
"""
# What yields leaves alone what somebody else has claimed meanwhile.
_IS_FREE = """
local function is_free(key, yielding)
  local holder = redis.call('GET', key)
  return not holder or string.sub(holder, 1, #yielding) == yielding
end
"""
_HOLD_YIELDING = (
    _IS_FREE
    + """
local yielding, for_ms = ARGV[1], ARGV[2]
for _, key in ipairs(KEYS) do
  if is_free(key, yielding) then redis.call('SET', key, yielding, 'PX', for_ms) end
end
"""
)
_BREATHE = (
    _IS_FREE
    + """
local yielding, breath_ms, longest_ms, pause_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
for i = 1, #KEYS, 2 do
  local in_a_row = redis.call('INCR', KEYS[i + 1])
  redis.call('PEXPIRE', KEYS[i + 1], pause_ms)
  if yielding == '' or is_free(KEYS[i], yielding) then
    redis.call('SET', KEYS[i], 'held', 'PX', math.min(in_a_row * breath_ms, longest_ms))
  end
end
"""
)


class _Held(NamedTuple):
    """Tenants that are computed; whether others may claim them meanwhile."""

    tenant_ids: Sequence[str]
    yields: bool


class Throttle:
    """All calls raise redis.RedisError when Redis is away."""

    def __init__(self, client: redis.Redis, keys: Keys, *, yields: bool = False) -> None:
        """`yields`: whether claims give way to those of others, which do not."""
        self._client = client
        self._keys = keys
        self._owner = f"{YIELDS if yields else ''}{uuid.uuid4().hex}"
        self._takes_over = "" if yields else YIELDS
        self._doubtful: set[str] = set()
        self._renewing = threading.Lock()
        self._computed: list[_Held] = []
        self._is_renewed = False
        self._claimed = client.register_script(_CLAIM)

    def claim(self, tenant_ids: Sequence[str]) -> list[str]:
        """Those of the tenants that may be dispatched now; they are the caller's to dispatch."""
        if not tenant_ids:
            return []
        try:
            return self._claim(tenant_ids)
        except redis.RedisError:
            self.doubt(tenant_ids)
            raise

    def doubt(self, tenant_ids: Sequence[str]) -> None:
        """Nothing came of these claims as far as we know. A frozen Redis does what it was asked when it wakes, long after
        we gave up: then the tenant is held in our name and nobody computes it, so the next claim takes it."""
        self._doubtful.update(tenant_ids)

    def _claim(self, tenant_ids: Sequence[str]) -> list[str]:
        holders: list[bytes] = self._claimed(
            keys=[self._keys.throttle(tenant_id) for tenant_id in tenant_ids],
            args=[self._owner, QUEUED_S * 1000, self._takes_over],
        )
        held = dict(zip(tenant_ids, holders, strict=True))
        ours = self._owner.encode()
        claimed = [t for t, holder in held.items() if not holder or (holder == ours and t in self._doubtful)]
        self._doubtful.difference_update(held)
        return claimed

    @contextlib.contextmanager
    def computing(self, tenant_ids: Sequence[str], pipe: Pipeline, *, yields: bool = False) -> Iterator[None]:
        """While a worker computes the tenants nobody else does, however long it takes: changes from when `pipe` is executed
        on are another computation's. `yields`: unless somebody claims one of them for its changes."""
        held = _Held(tenant_ids, yields)
        self._queue_computing(pipe, held)
        with self._renewing:
            self._computed.append(held)
            if not self._is_renewed:
                threading.Thread(target=self._renew, daemon=True).start()
                self._is_renewed = True
        try:
            yield
        finally:
            # A renewal may be under way, which must not come after what the caller says next.
            with self._renewing:
                self._computed.remove(held)

    def _renew(self) -> None:
        """Renew what is held, in a thread that goes on from one computation to the next and ends when nothing is computed."""
        while True:
            time.sleep(RENEW_EVERY_S)
            with self._renewing:
                if not self._computed:
                    self._is_renewed = False
                    return
                # Without Redis the keys expire, and others may compute the tenants as well: the older result is refused.
                with contextlib.suppress(redis.RedisError), self._client.pipeline(transaction=False) as pipe:
                    for held in self._computed:
                        self._queue_computing(pipe, held)
                    pipe.execute()

    def done(self, tenant_ids: Sequence[str], pipe: Pipeline, *, yields: bool = False) -> None:
        """The tenants are computed: after a breath they may be dispatched again. Said when `pipe` is executed. `yields`: as
        they were computed."""
        keys = [key for t in dict.fromkeys(tenant_ids) for key in (self._keys.throttle(t), self._keys.in_a_row(t))]
        args = [int(seconds * 1000) for seconds in (BREATH_S, LONGEST_BREATH_S, PAUSE_S)]
        pipe.eval(_BREATHE, len(keys), *keys, YIELDS if yields else "", *args)

    def failed(self, tenant_ids: Sequence[str]) -> None:
        """The tenants could not be computed or dispatched: after a moment they may be dispatched again."""
        with self._client.pipeline(transaction=False) as pipe:
            self._queue_hold(pipe, tenant_ids, RETRY_S)
            pipe.execute()

    def left_out(self, tenant_ids: Sequence[str], pipe: Pipeline) -> None:
        """The tenants are in quarantine; see workers/quarantine.py. Said when `pipe` is executed."""
        self._queue_hold(pipe, tenant_ids, LEFT_OUT_S)

    def _queue_computing(self, pipe: Pipeline, held: _Held) -> None:
        if held.yields:
            keys = [self._keys.throttle(tenant_id) for tenant_id in held.tenant_ids]
            pipe.eval(_HOLD_YIELDING, len(keys), *keys, YIELDS, COMPUTING_S * 1000)
        else:
            self._queue_hold(pipe, held.tenant_ids, COMPUTING_S)

    def _queue_hold(self, pipe: Pipeline, tenant_ids: Sequence[str], seconds: float) -> None:
        for tenant_id in tenant_ids:
            pipe.set(self._keys.throttle(tenant_id), "held", px=int(seconds * 1000))
