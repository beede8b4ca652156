"""PostgreSQL is restarted, killed, frozen and locked; clients end with the truth."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence

from cli.local import processes
from tests.faults.conftest import LONG, Measured
from tests.faults.locks import locked, somebody_waits
from tests.faults.watch import Watch
from tests.servers import eventually
from tests.stack import Stack

# Each process of the pools of two workers, and the listener's two loops.
MOST_CONNECTIONS = 2 * 2 * 4 + 2

HELD_S = 18.0 if LONG else 4.0


def pulse_at(stack: Stack) -> int:
    """When a worker's task that needs none of the contract's tables was finished last."""
    # The fault before this one may have emptied Redis a moment ago.
    return int(json.loads(eventually(lambda: stack.redis.get(stack.keys.pulse)) or b"")["at_ms"])


def backends(stack: Stack) -> list[int]:
    """Process ids of the backends that serve Daybook's processes (not the test's own)."""
    rows = stack.db.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'daybook%%' AND NOT pid = ANY(%s)",
        [own_backends(stack)],
    )
    return [pid for (pid,) in rows.fetchall()]


def own_backends(stack: Stack) -> Sequence[int]:
    """Those of the test's own engine, which bears the same name: it has none open while it does not calculate."""
    stack.engine.dispose()
    return [stack.db.info.backend_pid]


def down_until_told(stack: Stack, watch: Watch) -> None:
    """Keep PostgreSQL down until every client was told."""
    stopped = time.monotonic()
    eventually(lambda: watch.all_told_stale(stopped), within_s=15.0)
    assert {client.statuses[-1][1]["reason"] for client in watch.live} == {"database_unavailable"}
    assert {answer.status for client in watch.rest for answer in client.answers} == {200}


def test_postgresql_restarted_is_found_again_by_everyone(stack: Stack, watch: Watch, measured: Measured) -> None:
    stack.postgres.stop()
    stack.postgres.start()
    watch.recovered(within_s=10.0)
    watch.sales()
    stack.postgres.stop()
    down_until_told(stack, watch)
    stack.postgres.start()
    measured(19, watch.recovered(within_s=10.0))
    watch.assert_stayed_connected()
    assert not stack.deaths


def test_postgresql_killed_loses_no_committed_row(stack: Stack, watch: Watch, measured: Measured) -> None:
    watch.sales()
    assert stack.postgres.process
    processes.end(stack.postgres.process)
    down_until_told(stack, watch)
    started = time.monotonic()
    stack.postgres.start()
    measured(21, watch.recovered(within_s=15.0, since=started))
    watch.assert_stayed_connected()


def test_terminated_backends_are_replaced_before_anyone_notices(stack: Stack, watch: Watch, measured: Measured) -> None:
    started = time.monotonic()
    for _ in range(3):
        stack.db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'daybook%'"
        )
        watch.recovered(within_s=5.0)
    measured(19, time.monotonic() - started)
    watch.assert_never_told("database_unavailable", "computation_failing")


def test_frozen_backends_are_given_up_and_replaced(stack: Stack, watch: Watch, measured: Measured) -> None:
    stack.stop("sweeper")  # would help
    with locked(stack):
        watch.sales()
        somebody_waits(stack)
        frozen = backends(stack)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        # Given up by the task's time limit, or by the listener's watch on itself.
        measured(20, watch.converged(within_s=35.0, since=started))
        assert watch.all_told_stale(started)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    watch.recovered(within_s=10.0)
    eventually(lambda: len(backends(stack)) <= MOST_CONNECTIONS)
    watch.assert_stayed_connected()


def test_a_locked_table_delays_its_readers_and_nobody_else(stack: Stack, watch: Watch, measured: Measured) -> None:
    # One of the two worker children is to wait; what the other tenant has still due would take the second one.
    eventually(lambda: stack.db.execute("SELECT FROM dashboard.change").fetchall() == [])
    # The last pulse may still tell of the fault before this one.
    last = pulse_at(stack)
    eventually(lambda: pulse_at(stack) > last)
    begun = time.monotonic()
    with locked(stack):
        stack.sale(watch.tenant)
        somebody_waits(stack)
        held, before = time.monotonic(), pulse_at(stack)
        # Beyond the statement's own limit when there is time for it.
        eventually(lambda: time.monotonic() - held > HELD_S, within_s=2 * HELD_S)
        assert pulse_at(stack) > before
    measured(22, watch.converged(within_s=20.0 if LONG else 10.0))
    watch.assert_stayed_connected()
    watch.assert_never_told("database_unavailable", "computation_failing", "workers_silent", since=begun)


def test_rows_that_a_policy_hides_are_an_error_and_never_a_smaller_number(stack: Stack, watch: Watch) -> None:
    for table in ("invoice", "tenant"):
        stack.db.execute(f"ALTER TABLE dashboard.{table} ENABLE ROW LEVEL SECURITY")
        hidden = time.monotonic()
        try:
            # No row changes: that nobody can read any more is found out by itself.
            eventually(lambda since=hidden: watch.all_told_stale(since), within_s=15.0)  # type: ignore[misc]
            stack.sale(watch.tenant)
        finally:
            stack.db.execute(f"ALTER TABLE dashboard.{table} DISABLE ROW LEVEL SECURITY")
        watch.recovered(within_s=20.0)
    assert {answer.status for client in watch.rest for answer in client.answers} == {200}
    watch.assert_stayed_connected()
    watch.assert_never_told("computation_failing", "unknown_tenant")
