"""A machine's clock jumps by an hour while PostgreSQL and Redis, on other machines, keep theirs."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from shared.pulse import PULSE_STALE_AFTER_S
from tests.faults.conftest import Measured
from tests.faults.watch import Watch
from tests.servers import PROJECT, eventually
from tests.stack import Stack
from tests.tokens import bearer

HOUR_S = 3600
JUMPING = Path(__file__).parent / "jumping"
REALTIME = "/api/dashboard/realtime/aggregate/"


class Clock:
    """How far the processes that were started with its variables are from the true time."""

    def __init__(self, name: str) -> None:
        self._file = Path(tempfile.gettempdir()) / f"daybook-clock-{name}-{time.monotonic_ns()}"
        self.jump(0)

    @property
    def env(self) -> dict[str, str]:
        """For the processes that shall live by it."""
        return {"PYTHONPATH": f"{JUMPING}{os.pathsep}{PROJECT}", "CLOCK_FILE": str(self._file)}

    def jump(self, seconds: int) -> None:
        """Stand so far from the true time from now on."""
        after = self._file.with_suffix(".new")
        after.write_text(str(seconds))
        after.rename(self._file)


@pytest.fixture(scope="module")
def common() -> Clock:
    return Clock("all")


@pytest.fixture(scope="module")
def module_stack(common: Clock) -> Iterator[Stack]:
    with Stack(env=common.env) as stack:
        yield stack


@pytest.fixture
def clock(common: Clock) -> Iterator[Clock]:
    yield common
    common.jump(0)


def no_storm(watch: Watch, since: float) -> None:
    """Nobody was told more than what there was to tell: a few changes, and the day's end where it is another day."""
    for client in watch.live:
        told = [seen for seen in client.history if seen.at >= since]
        assert len(told) < 12, f"{client} was told {len(told)} times"


def test_all_processes_jump_together(clock: Clock, stack: Stack, watch: Watch, measured: Measured) -> None:
    jumped, slowest = time.monotonic(), 0.0
    for seconds in (HOUR_S, -HOUR_S):
        clock.jump(seconds)
        watch.sales()
        moment = time.monotonic()
        # Long enough for a schedule that stands still to be noticed.
        eventually(lambda: time.monotonic() - moment > PULSE_STALE_AFTER_S + 1, within_s=PULSE_STALE_AFTER_S + 2)  # noqa: B023
        slowest = max(slowest, watch.recovered(within_s=10.0))
    measured(28, slowest)
    watch.assert_never_told("late", "workers_silent", "changes_unwatched", "channel_silent", since=jumped)
    no_storm(watch, jumped)
    watch.assert_stayed_connected()


@pytest.mark.parametrize(("seconds", "code"), [(HOUR_S, "token_expired"), (-HOUR_S, "token_invalid")])
def test_web_alone_refuses_tokens_by_its_clock_and_is_well_otherwise(stack: Stack, seconds: int, code: str) -> None:
    own = Clock("web")
    stack.stop("web")
    stack.start("web", **own.env)
    stack.wait_until_ready()
    with Watch(stack) as watch:
        jumped = time.monotonic()
        own.jump(seconds)
        young = bearer(watch.tenant, ttl_s=60)
        refusal = eventually(
            lambda: requests.get(stack.url + REALTIME, headers=young, timeout=10), lambda answer: not answer.ok
        )
        assert (refusal.status_code, refusal.json()["code"]) == (401, code)
        watch.recovered(within_s=10.0)
        no_storm(watch, jumped)
        watch.assert_never_told("late", "workers_silent", "changes_unwatched", "channel_silent", since=jumped)
        watch.assert_stayed_connected()
    stack.stop("web")
