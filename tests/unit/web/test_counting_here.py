"""Requests that a process counts by itself: known while a settlement is under way, and none of them is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import gevent
import pytest
import redis
from gevent.event import Event

from shared.keys import Keys
from shared.settings import Settings
from web.access.limits import Limiter
from web.http.problems import TooMany
from web.redis.circuit import Circuit

LIMIT = 300


@dataclass(frozen=True)
class Somebody:
    """A person of a tenant."""

    subject: str
    tenant_id: str = "t"


EVA, TOM = Somebody("eva"), Somebody("tom")


@dataclass
class Counter:
    """Stands for Redis: counts at once, and answers when it is let."""

    counted: dict[str, int] = field(default_factory=dict)
    gates: list[Event] = field(default_factory=list)
    is_away: bool = False

    def register_script(self, _: str) -> Any:
        return self._count

    @property
    def used(self) -> int:
        """What the tenant has used."""
        return self.counted["unit:limits:requests:t"]

    def _count(self, keys: Sequence[str], args: Sequence[int]) -> list[list[int]]:
        if self.is_away:
            raise redis.ConnectionError
        found, is_over = [], False
        for key, more, limit in zip(keys, args[1::3], args[2::3], strict=True):
            self.counted[key] = self.counted.get(key, 0) + more + (not is_over)
            is_over |= self.counted[key] > limit
            found.append([self.counted[key], 60_000])
        if self.gates:
            self.gates.pop(0).wait()
        return found


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def limiter(counter: Counter) -> Limiter:
    settings = Settings(
        redis_url="redis://unused", rate_requests=f"{LIMIT}/minute", rate_requests_per_user="1000000/minute"
    )
    made = Limiter(counter, Keys("unit"), Circuit(hold_s=0), settings)  # type: ignore[arg-type]
    made.hit("requests", EVA)
    return made


def test_others_go_on_counting_while_one_settles(limiter: Limiter, counter: Counter) -> None:
    gate = Event()
    counter.gates.append(gate)
    settling = gevent.spawn(limiter.hit, "requests", EVA)
    gevent.sleep(0)
    left = [limiter.hit_here(EVA) for _ in range(3)]
    gate.set()
    settling.get()
    assert [one.remaining for one in left if one] == [LIMIT - 3, LIMIT - 4, LIMIT - 5]
    assert limiter.hit("requests", EVA).remaining == LIMIT - 6
    assert counter.used == 6


def test_settlements_that_overtake_each_other_lose_nothing(limiter: Limiter, counter: Counter) -> None:
    gate = Event()
    counter.gates.append(gate)
    slow = gevent.spawn(limiter.hit, "requests", EVA)
    gevent.sleep(0)
    limiter.hit("requests", EVA)
    assert all(limiter.hit_here(EVA) for _ in range(100))
    gate.set()
    slow.get()
    here = limiter.hit_here(EVA)
    assert here is not None
    assert here.remaining == LIMIT - 104
    limiter.hit("requests", EVA)
    assert counter.used == 105


def test_what_could_not_be_settled_is_settled_later(limiter: Limiter, counter: Counter) -> None:
    assert all(limiter.hit_here(EVA) for _ in range(10))
    counter.is_away = True
    limiter.hit("requests", EVA)
    counter.is_away = False
    limiter.hit("requests", EVA)
    assert counter.used == 12


def test_nothing_is_let_through_here_beyond_the_rate(limiter: Limiter) -> None:
    answered = 1
    while limiter.hit_here(EVA):
        answered += 1
    assert answered == LIMIT
    with pytest.raises(TooMany):
        limiter.hit("requests", EVA)


def test_one_persons_script_locks_nobody_else_out(counter: Counter) -> None:
    settings = Settings(redis_url="redis://unused", rate_requests="30/minute", rate_requests_per_user="10/minute")
    limiter = Limiter(counter, Keys("unit"), Circuit(hold_s=0), settings)  # type: ignore[arg-type]

    def ask(person: Somebody) -> int:
        """What is left, by the tighter of the two rates."""
        here = limiter.hit_here(person)
        return (here or limiter.hit("requests", person)).remaining

    assert [ask(EVA) for _ in range(10)] == [*range(9, -1, -1)]
    for _ in range(50):
        with pytest.raises(TooMany, match="More than 10"):
            ask(EVA)
    assert [ask(TOM) for _ in range(10)] == [*range(9, -1, -1)]
    assert counter.used <= 20
    others = [Somebody(f"person-{number}") for number in range(11)]
    assert [ask(person) for person in others[:10]][-1] == 0
    with pytest.raises(TooMany, match="More than 30"):
        ask(others[10])


def test_the_same_name_in_another_tenant_is_somebody_else(counter: Counter) -> None:
    settings = Settings(redis_url="redis://unused", rate_requests_per_user="1/minute")
    limiter = Limiter(counter, Keys("unit"), Circuit(hold_s=0), settings)  # type: ignore[arg-type]
    people = [Somebody("a:b", "t"), Somebody("b", "t:a"), Somebody("a:b", "u")]
    assert [limiter.hit("requests", person).remaining for person in people] == [0, 0, 0]
