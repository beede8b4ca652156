"""The sweep takes each tenant once in a period, evenly, whatever its ticks do."""

from __future__ import annotations

import random
from collections import Counter

from workers.sweep import tick_s, whose_turn

TENANTS = [f"tenant {number}" for number in range(1000)]
PERIOD_S = 300


def test_each_tenant_has_one_turn_in_a_period_however_irregular_the_ticks_are() -> None:
    chance = random.Random(7)
    began = now = chance.uniform(0, 1e9)
    taken: Counter[str] = Counter()
    while now < began + PERIOD_S:
        since, now = now, min(now + chance.uniform(0.1, 40), began + PERIOD_S)
        taken.update(whose_turn(TENANTS, since_s=since, until_s=now, period_s=PERIOD_S))
    assert taken == Counter(TENANTS)


def test_ticks_are_about_as_large_as_each_other() -> None:
    sizes = [len(whose_turn(TENANTS, since_s=at, until_s=at + 30, period_s=PERIOD_S)) for at in range(0, PERIOD_S, 30)]
    assert min(sizes) > 60
    assert max(sizes) < 140


def test_everyone_is_taken_at_the_start_after_a_long_silence_and_when_the_clock_was_set_back() -> None:
    for since in (None, 0.0, 2000.0):
        assert whose_turn(TENANTS, since_s=since, until_s=1000.0, period_s=PERIOD_S) == TENANTS
    assert whose_turn(TENANTS, since_s=1000.0, until_s=1000.0, period_s=PERIOD_S) == []


def test_ticks_are_seldom_enough_to_list_all_tenants_for_each() -> None:
    assert [tick_s(period) for period in (10, 300, 3600, 86_400)] == [10, 5, 36, 60]
