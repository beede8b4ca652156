"""When a process calls its data stale, and why."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import pytest
import redis

from shared.keys import Keys
from shared.pulse import Pulse
from shared.redis_client import connect
from shared.settings import Settings
from shared.store import ABSENT, Stored
from shared.versions import Version
from web.live import freshness as module
from web.live.freshness import Freshness

SETTINGS = Settings(redis_url="redis://127.0.0.1:1/0", cache_timeout_s=300)


class Clock:
    """Stands in for the module `time`: the tests move it."""

    def __init__(self) -> None:
        self.wall_s = time.time()
        self.monotonic_s = 1000.0

    def time(self) -> float:
        return self.wall_s

    def monotonic(self) -> float:
        return self.monotonic_s

    def pass_s(self, seconds: float) -> None:
        self.wall_s += seconds
        self.monotonic_s += seconds

    @property
    def ms(self) -> int:
        return int(self.wall_s * 1000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def freshness(clock: Clock, keys: Keys, valkey: redis.Redis) -> Iterator[Freshness]:
    yield Freshness(valkey, keys, SETTINGS)
    valkey.delete(keys.pulse, keys.listener)


class Workers:
    """Leave in Redis what workers and a listener leave there."""

    def __init__(self, freshness: Freshness, clock: Clock, keys: Keys, valkey: redis.Redis) -> None:
        self.freshness, self.clock, self.keys, self.valkey = freshness, clock, keys, valkey

    def pulse(self, *, database_ms: float | None = 1.0) -> None:
        pulse = Pulse(at_ms=self.clock.ms, database_ms=database_ms)
        self.valkey.set(self.keys.pulse, msgspec.json.encode(pulse))

    def listen(self) -> None:
        self.valkey.set(self.keys.listener, self.clock.ms)

    def observe(self, *, heard: bool = True) -> str | None:
        if heard:
            self.freshness.heard()
        self.freshness.observe()
        return self.freshness.overall.reason


@pytest.fixture
def workers(freshness: Freshness, clock: Clock, keys: Keys, valkey: redis.Redis) -> Workers:
    return Workers(freshness, clock, keys, valkey)


def _stored(clock: Clock, *, age_s: float = 0, failing: str | None = None) -> Stored:
    return Stored(
        version=Version("e", 1),
        snapshot=b"{}",
        overview=None,
        as_of_ms=clock.ms - int(age_s * 1000),
        failing=failing,
        failing_since_ms=clock.ms if failing else None,
    )


def test_everything_alive_is_fresh(workers: Workers, clock: Clock) -> None:
    workers.pulse()
    workers.listen()
    assert workers.observe() is None
    assert not workers.freshness.of(_stored(clock)).stale


def test_a_process_that_never_saw_workers_gives_them_time_to_start(workers: Workers, clock: Clock) -> None:
    assert workers.observe() is None
    clock.pass_s(9)
    assert workers.observe() == "workers_silent"


def test_a_pulse_that_stands_still_means_that_the_workers_are_silent(workers: Workers, clock: Clock) -> None:
    workers.pulse()
    workers.observe()
    clock.pass_s(7)
    assert workers.observe() is None
    clock.pass_s(2)
    assert workers.observe() == "workers_silent"
    since_ms = workers.freshness.overall.since_ms
    assert since_ms is not None
    assert abs(since_ms - (clock.ms - 9000)) < 10

    workers.pulse()
    assert workers.observe() is None


def test_an_old_pulse_is_known_as_old_at_first_sight(workers: Workers, clock: Clock) -> None:
    workers.pulse()
    clock.pass_s(60)
    assert workers.observe() == "workers_silent"


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_clock_that_jumps_an_hour_makes_nothing_stale(workers: Workers, clock: Clock, jump_s: int) -> None:
    workers.pulse()
    workers.listen()
    workers.observe()
    stored = _stored(clock)
    clock.wall_s += jump_s
    clock.pass_s(1)
    assert workers.observe() is None
    assert not workers.freshness.of(stored).stale


def test_a_pulse_without_database_says_so(workers: Workers) -> None:
    workers.pulse(database_ms=None)
    assert workers.observe() == "database_unavailable"


def test_a_listener_that_was_never_there_is_not_missed(workers: Workers, clock: Clock) -> None:
    workers.pulse()
    for _ in range(20):
        clock.pass_s(1)
        workers.pulse()
        assert workers.observe() is None


def test_a_listener_that_stopped_is_missed(workers: Workers, clock: Clock) -> None:
    workers.listen()
    workers.pulse()
    workers.observe()
    clock.pass_s(11)
    workers.pulse()
    assert workers.observe() == "changes_unwatched"


def test_one_question_without_an_answer_is_no_outage(clock: Clock, keys: Keys) -> None:
    freshness = Freshness(connect(SETTINGS.redis_url, timeout_s=0.2), keys, SETTINGS)
    freshness.observe()
    assert freshness.overall.reason is None
    freshness.observe()
    assert freshness.overall.reason == "redis_unavailable"
    assert freshness.of(ABSENT).stale


def test_a_channel_that_stays_silent_although_redis_answers_is_told(workers: Workers, clock: Clock) -> None:
    workers.pulse()
    workers.observe()
    clock.pass_s(7)
    workers.pulse()
    assert workers.observe(heard=False) == "channel_silent"
    assert workers.observe() is None


def test_one_tenants_failing_computation_is_its_own_affair(workers: Workers, clock: Clock) -> None:
    workers.pulse()
    workers.observe()
    assert workers.freshness.of(_stored(clock, failing="bad rows")).reason == "computation_failing"
    assert not workers.freshness.of(_stored(clock)).stale


def test_a_snapshot_older_than_two_sweeps_is_late(workers: Workers, clock: Clock) -> None:
    workers.pulse()
    workers.observe()
    assert not workers.freshness.of(_stored(clock, age_s=599)).stale
    late = workers.freshness.of(_stored(clock, age_s=601))
    assert late.reason == "late"
    assert late.since_ms is not None
    assert abs(late.since_ms - (clock.ms - 1000)) < 10


def test_an_unreadable_pulse_is_no_pulse(workers: Workers, clock: Clock, keys: Keys, valkey: redis.Redis) -> None:
    valkey.set(keys.pulse, b"not a pulse")
    valkey.set(keys.listener, b"nor this")
    assert workers.observe() is None
    clock.pass_s(9)
    assert workers.observe() == "workers_silent"
