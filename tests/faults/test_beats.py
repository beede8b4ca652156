"""The schedule: one beat dies, two tick at once, nobody works for a while."""

from __future__ import annotations

import json
import time

from tests.faults.computations import counted
from tests.faults.conftest import LONG, Measured
from tests.faults.watch import Watch
from tests.servers import eventually
from tests.stack import Stack

# Twice the tick of a beat: at its own length two ticks may share a slot, and the next sweep comes after ten seconds: late.
SLOT_S = 10
OFF_S = 60 if LONG else 10


def STACK() -> Stack:  # noqa: N802
    """Sweeps often, and never audits: an audit computes a tenant of its own accord."""
    return Stack(env={"DASHBOARD_CACHE_TIMEOUT": str(SLOT_S), "DASHBOARD_AUDIT_INTERVAL": "0", "LOG_LEVEL": "DEBUG"})


def pulse_at(stack: Stack) -> int:
    """When a scheduled task was finished last."""
    return int(json.loads(stack.redis.get(stack.keys.pulse) or b'{"at_ms":0}')["at_ms"])


def swept_at(stack: Stack, tenant_id: str) -> int:
    """When a tenant was computed last."""
    return int(stack.redis.hget(stack.keys.snapshot(tenant_id), "as_of") or 0)


def test_two_beats_make_one_sweep_for_each_slot_and_one_of_them_is_enough(
    stack: Stack, watch: Watch, measured: Measured
) -> None:
    stack.start("second beat", stack.procfile["beat"])
    eventually(lambda: "sweep" in stack.log("second beat"), within_s=15.0)
    watch.recovered(within_s=10.0)
    with counted(stack, watch.tenant) as computations:
        first = int(time.time()) // SLOT_S
        eventually(lambda: int(time.time()) // SLOT_S - first >= 2, within_s=3 * SLOT_S)
        slots = int(time.time()) // SLOT_S - first + 1
    assert 1 <= computations.count <= slots
    measured(17, 0)
    stack.kill("beat")
    started, pulse, sweep = time.monotonic(), pulse_at(stack), swept_at(stack, watch.tenant)
    eventually(lambda: pulse_at(stack) > pulse and swept_at(stack, watch.tenant) > sweep, within_s=25.0)
    measured(16, time.monotonic() - started)
    watch.recovered(within_s=10.0)
    # `late` would be right here whenever a sweep takes five seconds longer than on a quiet machine.
    watch.assert_never_told("workers_silent")
    stack.start("beat")
    stack.stop("second beat")


def test_a_beat_that_is_started_again_is_on_time_at_once(stack: Stack, watch: Watch) -> None:
    stack.kill("beat")
    pulse = pulse_at(stack)
    stack.start("beat")
    eventually(lambda: pulse_at(stack) > pulse, within_s=8.0)
    watch.recovered(within_s=10.0)


def test_after_a_while_without_workers_each_tenant_is_computed_twice_at_most(
    stack: Stack, watch: Watch, measured: Measured
) -> None:
    # Who connects asks for the newest: not in the middle of that, or it is one of the computations counted below.
    watch.recovered(within_s=10.0)
    stopped = time.monotonic()
    for name in ("worker", "sweeper"):
        stack.stop(name)
    while time.monotonic() - stopped < OFF_S:
        watch.sales()
        time.sleep(0.2)
    # Sweeps are so frequent here that a snapshot may be old before the workers' silence counts as such.
    eventually(lambda: all("workers_silent" in client.reasons(stopped) for client in watch.live))
    with counted(stack, watch.tenant) as computations:
        started, slot = time.monotonic(), int(time.time()) // SLOT_S
        for name in ("worker", "sweeper"):
            stack.start(name)
        measured(18, watch.converged(within_s=15.0, since=started))
        slots = int(time.time()) // SLOT_S - slot
    assert computations.count <= 2 + slots
    watch.assert_stayed_connected()
