"""Rates per tenant and person, counted in Redis and, while Redis is away, in this process. Source: SPEC 8."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import redis
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from redis.client import Pipeline

from shared.errors import StoreUnavailable
from shared.keys import Keys
from shared.settings import Settings
from web.http.problems import Allowance, TooMany
from web.redis.circuit import Circuit

Kind = Literal["requests", "streams", "recalculations"]

_MOST_OPEN = 20_000


class Person(Protocol):
    """Who is counted: somebody (`sub`) of a tenant."""

    @property
    def tenant_id(self) -> str: ...

    @property
    def subject(self) -> str: ...


# A window begins with its first request. Each meter counts what it is told of, and one more as long as none before it is over
# its limit: who is refused takes nothing from the others. One round trip gives what the limiter's own Redis storage needs
# several for.
_HIT = """
local found, over = {}, false
for i, key in ipairs(KEYS) do
  local seconds, more, limit = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local used = redis.call('INCRBY', key, more + (over and 0 or 1))
  local left_ms = redis.call('PTTL', key)
  if left_ms < 0 then
    left_ms = seconds * 1000
    redis.call('PEXPIRE', key, left_ms)
  end
  over = over or used > limit
  found[i] = {used, left_ms}
end
return found
"""


@dataclass(frozen=True, slots=True)
class _Meter:
    """A rate, and under which name it is counted."""

    name: str
    rate: RateLimitItem


@dataclass(slots=True)
class _Window:
    """What this process knows of a meter's window, and how many it has counted since Redis heard of any."""

    limit: int
    left: int
    ends_at: float
    unsettled: int = 0

    @property
    def is_open(self) -> bool:
        return self.left > 0 and self.ends_at > time.monotonic()

    def take(self) -> int:
        """What is to be told to Redis now, beside one more; nothing of a window that is over."""
        taken, self.unsettled = self.unsettled, 0
        self.left -= 1
        return taken if self.ends_at > time.monotonic() else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One that is to be counted: by which meters, what is told of each window with it, and how Redis is asked.

    counted: the meters that it was counted by, once Redis has answered: none behind the first that is over its limit.
    """

    kind: Kind
    meters: Sequence[_Meter]
    windows: Sequence[_Window | None]
    taken: Sequence[int]
    keys: list[str]
    arguments: list[int]
    counted: list[_Meter] = field(default_factory=list)


class Limiter:
    """Counts requests, openings and recalculations; what is over the rate is refused.

    Requests are counted for the person and for the tenant, in this order, so that one person's script locks nobody else out.
    """

    def __init__(self, client: redis.Redis, keys: Keys, circuit: Circuit, settings: Settings) -> None:
        self._rates: dict[Kind, RateLimitItem] = {
            "requests": parse(settings.rate_requests),
            "streams": parse(settings.rate_streams),
            "recalculations": parse(settings.rate_recalculations),
        }
        self._rate_of_user = parse(settings.rate_requests_per_user)
        self._prefix = keys.limits
        self._circuit = circuit
        self._script = client.register_script(_HIT)
        self._here = FixedWindowRateLimiter(MemoryStorage())
        self._open: dict[str, _Window] = {}

    def hit_here(self, caller: Person) -> Allowance | None:
        """Count one request without asking Redis, which hears of it with the next `hit`; None where that has to be now: as
        far as is known here nothing is left, or nothing is known."""
        windows = [self._open.get(meter.name) for meter in self._meters("requests", caller)]
        known = [window for window in windows if window is not None and window.is_open]
        if len(known) < len(windows):
            return None
        for window in known:
            window.left -= 1
            window.unsettled += 1
        now = time.monotonic()
        return _tightest(Allowance(limit=w.limit, remaining=w.left, reset_s=w.ends_at - now) for w in known)

    def hit(self, kind: Kind, caller: Person) -> Allowance:
        """Count one and say what is left; raises TooMany when that was one too many."""
        hit = self._begin(kind, caller)
        try:
            with self._circuit.guard():
                found = self._script(keys=hit.keys, args=hit.arguments)
        except StoreUnavailable:
            self.lost(hit)
            return self._count_here(kind, hit.meters)
        return self.told(hit, found)

    def ask(self, pipe: Pipeline, caller: Person) -> Hit:
        """Count one request when `pipe` is executed; then comes `told`, with the answer, or `lost`."""
        hit = self._begin("requests", caller)
        pipe.eval(_HIT, len(hit.keys), *hit.keys, *hit.arguments)
        return hit

    def told(self, hit: Hit, found: Sequence[tuple[int, int]]) -> Allowance:
        """What Redis answered; as `hit`."""
        told: list[tuple[int, Allowance]] = []
        for meter, window, (used, left_ms) in zip(hit.meters, hit.windows, found, strict=True):
            left = meter.rate.amount - used
            is_counted = not told or told[-1][0] >= 0
            if is_counted:
                hit.counted.append(meter)
            if hit.kind == "requests":
                if not is_counted and window is not None:
                    window.left += 1  # the one before was over its limit: here nothing was counted
                self._settled(meter, left, time.monotonic() + left_ms / 1000)
            told.append((left, Allowance(limit=meter.rate.amount, remaining=max(0, left), reset_s=left_ms / 1000)))
        for meter, (left, allowance) in zip(hit.meters, told, strict=True):
            if left < 0:
                raise _too_many(hit.kind, meter.rate, allowance)
        return _tightest(allowance for _, allowance in told)

    def lost(self, hit: Hit) -> None:
        """Redis has not answered: what it was to hear goes with the next one."""
        for window, more in zip(hit.windows, hit.taken, strict=True):
            if window is not None:
                window.unsettled += more

    def take_back(self, hit: Hit) -> None:
        """What was counted is going to be counted again."""
        for meter in hit.counted:
            if (window := self._open.get(meter.name)) is not None:
                window.left += 1
                window.unsettled -= 1

    def _begin(self, kind: Kind, caller: Person) -> Hit:
        meters = self._meters(kind, caller)
        windows = [self._open.get(meter.name) for meter in meters]
        # They stay open for others meanwhile; what these count goes with the next one.
        taken = [0 if window is None else window.take() for window in windows]
        return Hit(
            kind=kind,
            meters=meters,
            windows=windows,
            taken=taken,
            keys=[f"{self._prefix}:{meter.name}" for meter in meters],
            arguments=[
                number
                for meter, more in zip(meters, taken, strict=True)
                for number in (meter.rate.get_expiry(), more, meter.rate.amount)
            ],
        )

    def _meters(self, kind: Kind, caller: Person) -> list[_Meter]:
        tenant = _Meter(f"{kind}:{caller.tenant_id}", self._rates[kind])
        if kind != "requests":
            return [tenant]
        # The length keeps one person's name from reading like another tenant's.
        person = f"{len(caller.tenant_id)}:{caller.tenant_id}:{caller.subject}"
        return [_Meter(f"requests-of:{person}", self._rate_of_user), tenant]

    def _settled(self, meter: _Meter, left: int, ends_at: float) -> None:
        now = time.monotonic()
        if len(self._open) >= _MOST_OPEN:
            self._open = {name: one for name, one in self._open.items() if one.ends_at > now and one.unsettled}
        before, unsettled = self._open.get(meter.name), 0
        if before is not None and before.ends_at > now:
            # Answers may overtake each other: within a window what is left only shrinks.
            unsettled = before.unsettled
            left = min(left - unsettled, before.left)
        self._open[meter.name] = _Window(meter.rate.amount, left, ends_at, unsettled)

    def _count_here(self, kind: Kind, meters: Sequence[_Meter]) -> Allowance:
        """While Redis is away each process counts by itself."""
        told: list[Allowance] = []
        for meter in meters:
            allowed = self._here.hit(meter.rate, meter.name)
            reset_at, remaining = self._here.get_window_stats(meter.rate, meter.name)
            reset_s = max(0.0, reset_at - time.time())
            told.append(Allowance(limit=meter.rate.amount, remaining=remaining, reset_s=reset_s))
            if not allowed:
                raise _too_many(kind, meter.rate, told[-1])
        return _tightest(told)


def _tightest(allowances: Iterable[Allowance]) -> Allowance:
    return min(allowances, key=lambda one: one.remaining)


def _too_many(kind: Kind, rate: RateLimitItem, allowance: Allowance) -> TooMany:
    return TooMany(f"More than {rate.amount} {kind} in {rate.get_expiry()} s.", allowance)
