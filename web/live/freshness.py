"""Whether what is served is still the truth: what one process knows of Redis, the channel, the workers and their database.

Durations are measured on the monotonic clock and by whether a value moved, never by comparing two machines' clocks.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import redis
import structlog

from shared.keys import Keys
from shared.pulse import PULSE_STALE_AFTER_S, Pulse
from shared.settings import Settings
from shared.store import Stored

log = structlog.get_logger()

Reason = Literal[
    "redis_unavailable",
    "channel_silent",
    "workers_silent",
    "database_unavailable",
    "changes_unwatched",
    "computation_failing",
    "snapshot_missing",
    "late",
    "unknown_tenant",
]

# One lost packet is no outage: Redis is away when it failed to answer twice in a row.
FAILURES_UNTIL_AWAY = 2
# The hub connects anew after three seconds of silence; clients hear of it only when that did not help.
CHANNEL_SILENT_AFTER_S = 6.0
# A supervisor starts a listener again within 5 s, and nothing is lost meanwhile.
LISTENER_SILENT_AFTER_S = 10.0
# Who begins to look at a tenant has it computed; this takes far less than a second, unless the workers have much to do.
REFRESHED_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """Whether data is stale, since when (milliseconds) and why; nothing but `stale` when it is fresh."""

    stale: bool
    since_ms: int | None = None
    reason: Reason | None = None


FRESH = Staleness(stale=False)


def _stale(reason: Reason, since_ms: float) -> Staleness:
    return Staleness(stale=True, since_ms=int(since_ms), reason=reason)


class _Mark:
    """A value that something alive keeps moving: how long it has stood still, on our own clock."""

    def __init__(self) -> None:
        self.value: int | None = None
        self.moved_at = 0.0

    def see(self, value: int, *, now: float, now_ms: float) -> None:
        if self.value is None:
            # The first sight has no history: take its age from the clocks, once. The next move corrects it.
            self.moved_at = now - max(0.0, (now_ms - value) / 1000)
        elif value != self.value:
            self.moved_at = now
        self.value = value


class Freshness:
    """Call `observe` every second; ask `of` at any time. One for each process."""

    def __init__(self, client: redis.Redis, keys: Keys, settings: Settings) -> None:
        self._client = client
        self._keys = keys
        self._late_after_ms = 2000 * settings.cache_timeout_s
        self._cold_late_after_ms = 2000 * settings.cold_timeout_s
        self._started_at = time.monotonic()
        self._failures = 0
        self._failing_since_ms = 0.0
        self._pulse_mark = _Mark()
        self._listener_mark = _Mark()
        self._heard_at = self._started_at
        self._overall = FRESH
        self.pulse: Pulse | None = None

    def observe(self) -> None:
        """Read what the workers' side left in Redis, and judge. Never raises for a Redis that does not answer."""
        try:
            found: list[Any] = self._client.mget(self._keys.pulse, self._keys.listener)
        except redis.RedisError as error:
            self.missed(error)
        else:
            self.answered(*found)
        self._judge()

    def answered(self, pulse: bytes | None, listener: bytes | None) -> None:
        """Redis answered with these values."""
        self._failures = 0
        now, now_ms = time.monotonic(), time.time() * 1000
        if pulse is not None:
            try:
                self.pulse = msgspec.json.decode(pulse, type=Pulse)
            except msgspec.DecodeError:
                log.warning("pulse_unreadable")
            else:
                self._pulse_mark.see(self.pulse.at_ms, now=now, now_ms=now_ms)
        if listener is not None and listener.isdigit():
            self._listener_mark.see(int(listener), now=now, now_ms=now_ms)

    def missed(self, error: Exception) -> None:
        """Redis did not answer."""
        if self._failures == 0:
            self._failing_since_ms = time.time() * 1000
        self._failures += 1
        if self._failures == FAILURES_UNTIL_AWAY:
            log.warning("redis_away", error=type(error).__name__)

    def heard(self) -> None:
        """Something arrived on the notices channel."""
        self._heard_at = time.monotonic()

    @property
    def channel_silent_s(self) -> float:
        """How long the notices channel has delivered nothing; somebody beats on it every second or so."""
        return time.monotonic() - self._heard_at

    @property
    def answered_last(self) -> bool:
        """Whether Redis answered the last question, be it only slowly before."""
        return self._failures == 0

    @property
    def redis_answers(self) -> bool:
        """Whether Redis can be reached; one question without an answer does not count."""
        return self._failures < FAILURES_UNTIL_AWAY

    @property
    def channel_alive(self) -> bool:
        """Whether notices reach this process."""
        return self.channel_silent_s < CHANNEL_SILENT_AFTER_S

    @property
    def workers_alive(self) -> bool:
        """Whether a task was finished lately; unknown counts as alive until the time has passed."""
        return self.pulse_age_s < PULSE_STALE_AFTER_S

    @property
    def pulse_age_s(self) -> float:
        """How long the workers' pulse has stood still, or since when we have waited for a first one."""
        return self._still_s(self._pulse_mark)

    @property
    def listener_age_s(self) -> float | None:
        """How long no change listener has passed; None when none ever did."""
        return None if self._listener_mark.value is None else self._still_s(self._listener_mark)

    @property
    def overall(self) -> Staleness:
        """What makes every tenant's data stale, as of the last observation."""
        return self._overall

    def of(self, stored: Stored, *, looked_for_s: float = math.inf) -> Staleness:
        """Whether this snapshot can be trusted to be what the database implies now, and if not, why.

        `looked_for_s`: how long somebody has looked at the tenant. Until then it was swept more seldom.
        """
        if self._overall.stale:
            return self._overall
        if stored.failing is not None:
            return _stale("computation_failing", stored.failing_since_ms or self.database_now_ms())
        late_after_ms = self._late_after_ms if looked_for_s > REFRESHED_WITHIN_S else self._cold_late_after_ms
        if stored.as_of_ms is not None and self.database_now_ms() - stored.as_of_ms > late_after_ms:
            return _stale("late", stored.as_of_ms + late_after_ms)
        return FRESH

    def database_now_ms(self) -> float:
        """The time on the database's clock, by which `as_of` was taken: our own and the workers' may jump."""
        if self.pulse is None:
            return time.time() * 1000
        return self.pulse.at_ms + self.pulse.database_ahead_ms + self._still_s(self._pulse_mark) * 1000

    def _still_s(self, mark: _Mark) -> float:
        since = self._started_at if mark.value is None else mark.moved_at
        return time.monotonic() - since

    def _judge(self) -> None:
        verdict = self._verdict()
        if (verdict.stale, verdict.reason) != (self._overall.stale, self._overall.reason):
            self._overall = verdict
            log.info("freshness_changed", stale=verdict.stale, reason=verdict.reason)

    def _verdict(self) -> Staleness:
        now_ms = time.time() * 1000
        if not self.redis_answers:
            return _stale("redis_unavailable", self._failing_since_ms)
        if not self.channel_alive:
            return _stale("channel_silent", now_ms - self.channel_silent_s * 1000)
        if not self.workers_alive:
            return _stale("workers_silent", now_ms - self.pulse_age_s * 1000)
        if self.pulse is not None and self.pulse.database_ms is None:
            return _stale("database_unavailable", self.pulse.at_ms)
        # Without a listener row changes wait for the sweep: fine if there never was one, news if there was.
        if self.listener_age_s is not None and self.listener_age_s > LISTENER_SILENT_AFTER_S:
            return _stale("changes_unwatched", now_ms - self.listener_age_s * 1000)
        return FRESH
