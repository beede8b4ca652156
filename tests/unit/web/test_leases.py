"""What an answer that holds for a moment survives, and what it does not."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from shared.notices import Notice
from web.live import leases as module
from web.live.freshness import FRESH, Staleness
from web.live.leases import LEASE_S, RENEWED_BEFORE_S, SILENT_S, Leases


@dataclass
class Fresh:
    """What leases ask of the freshness."""

    overall: Staleness = field(default=FRESH)
    channel_silent_s: float = 0.0


@dataclass
class Clock:
    now: float = 1000.0

    def monotonic(self) -> float:
        self.now += 1e-6  # no two moments are the same
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def fresh() -> Fresh:
    return Fresh()


@pytest.fixture
def leases(clock: Clock, fresh: Fresh) -> Leases[str]:
    made: Leases[str] = Leases(fresh)  # type: ignore[arg-type]
    for _ in range(2):
        made.keep("question", "answer", "t", asked_at=clock.monotonic())
    return made


def test_it_holds_for_its_moment_and_one_asks_in_time_for_all(leases: Leases[str], clock: Clock) -> None:
    assert leases.find("question") == "answer"
    assert leases.find("another") is None
    clock.now += LEASE_S - RENEWED_BEFORE_S + 0.001
    assert [leases.find("question") for _ in range(3)] == [None, "answer", "answer"]
    clock.now += RENEWED_BEFORE_S
    assert leases.find("question") is None


def test_whatever_is_heard_of_the_tenant_ends_it(leases: Leases[str]) -> None:
    leases.noticed(Notice(tenant="other", status="failing"))
    assert leases.find("question") == "answer"
    leases.noticed(Notice(tenant="t", status="failing"))
    assert leases.find("question") is None


def test_an_answer_that_was_overtaken_while_it_was_made_is_not_kept(leases: Leases[str], clock: Clock) -> None:
    asked_at = clock.monotonic()
    leases.drop("t")
    leases.keep("question", "old", "t", asked_at=asked_at)
    assert leases.find("question") is None
    leases.keep("question", "new", "t", asked_at=clock.monotonic())
    assert leases.find("question") is None
    leases.keep("question", "new", "t", asked_at=clock.monotonic())
    assert leases.find("question") == "new"
    asked_at = clock.monotonic()
    leases.resync()
    leases.keep("question", "old", "t", asked_at=asked_at)
    assert leases.find("question") is None


def test_nothing_holds_while_notices_may_be_missing_or_all_is_stale(leases: Leases[str], fresh: Fresh) -> None:
    fresh.channel_silent_s = SILENT_S + 0.1
    assert leases.find("question") is None
    fresh.channel_silent_s = 0.0
    fresh.overall = Staleness(stale=True, reason="workers_silent", since_ms=1)
    assert leases.find("question") is None
    fresh.overall = FRESH
    assert leases.find("question") == "answer"


def test_what_was_forgotten_of_many_tenants_keeps_no_old_answer(leases: Leases[str], clock: Clock) -> None:
    asked_at = clock.monotonic()
    for number in range(module.MOST_HEARD + 1):
        leases.drop(f"t{number}")
    leases.keep("question", "old", "another", asked_at=asked_at)
    assert leases.find("question") == "answer"
    assert leases.find("question") != "old"
