"""How often row changes may recompute a tenant: one Redis key per tenant, shared by listeners and workers.

The key says "leave this tenant alone": from its dispatch until a worker takes it up, while it is computed, and for a
breath afterwards, which is short after the first computation and grows with each that follows soon. What a person's action
commits in several steps is thus shown step by step, a tenant that writes without pause is computed a few times a second
and never in parallel, two listeners send it once, and a key whose owner died expires.

A claim for the sweeper, who is in no hurry, yields to one for changes until a worker has taken the tenant up. Then it is
computed twice, which harms nobody: the older result is refused.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator, Sequence

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

# Begins the value of a claim that yields.
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
_BREATHE = """
local breath_ms, longest_ms, pause_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
for i = 1, #KEYS, 2 do
  local in_a_row = redis.call('INCR', KEYS[i + 1])
  redis.call('PEXPIRE', KEYS[i + 1], pause_ms)
  redis.call('SET', KEYS[i], 'held', 'PX', math.min(in_a_row * breath_ms, longest_ms))
end
"""


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
        self._computed: list[Sequence[str]] = []
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
    def computing(self, tenant_ids: Sequence[str], pipe: Pipeline) -> Iterator[None]:
        """While a worker computes the tenants nobody else does, however long it takes: changes from when `pipe` is executed
        on are another computation's."""
        self._queue_hold(pipe, tenant_ids, COMPUTING_S)
        with self._renewing:
            self._computed.append(tenant_ids)
            if not self._is_renewed:
                threading.Thread(target=self._renew, daemon=True).start()
                self._is_renewed = True
        try:
            yield
        finally:
            # A renewal may be under way, which must not come after what the caller says next.
            with self._renewing:
                self._computed.remove(tenant_ids)

    def _renew(self) -> None:
        """Renew what is held, in a thread that goes on from one computation to the next and ends when nothing is computed."""
        while True:
            time.sleep(RENEW_EVERY_S)
            with self._renewing:
                if not self._computed:
                    self._is_renewed = False
                    return
                # Without Redis the keys expire, and others may compute the tenants as well: the older result is refused.
                with contextlib.suppress(redis.RedisError):
                    self._hold([t for tenant_ids in self._computed for t in tenant_ids], COMPUTING_S)

    def done(self, tenant_ids: Sequence[str], pipe: Pipeline) -> None:
        """The tenants are computed: after a breath they may be dispatched again. Said when `pipe` is executed."""
        keys = [key for t in dict.fromkeys(tenant_ids) for key in (self._keys.throttle(t), self._keys.in_a_row(t))]
        args = [int(seconds * 1000) for seconds in (BREATH_S, LONGEST_BREATH_S, PAUSE_S)]
        pipe.eval(_BREATHE, len(keys), *keys, *args)

    def failed(self, tenant_ids: Sequence[str]) -> None:
        """The tenants could not be computed or dispatched: after a moment they may be dispatched again."""
        self._hold(tenant_ids, RETRY_S)

    def left_out(self, tenant_ids: Sequence[str], pipe: Pipeline) -> None:
        """The tenants are in quarantine; see workers/quarantine.py. Said when `pipe` is executed."""
        self._queue_hold(pipe, tenant_ids, LEFT_OUT_S)

    def _hold(self, tenant_ids: Sequence[str], seconds: float) -> None:
        with self._client.pipeline(transaction=False) as pipe:
            self._queue_hold(pipe, tenant_ids, seconds)
            pipe.execute()

    def _queue_hold(self, pipe: Pipeline, tenant_ids: Sequence[str], seconds: float) -> None:
        for tenant_id in tenant_ids:
            pipe.set(self._keys.throttle(tenant_id), "held", px=int(seconds * 1000))
