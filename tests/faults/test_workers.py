"""Workers and listener are killed, frozen and stopped; clients end with the truth."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Iterator
from functools import partial

import psutil

from tests.faults.conftest import LONG, Measured
from tests.faults.locks import READING_FACTS, locked, somebody_waits, waiting
from tests.faults.watch import Watch
from tests.patience import PATIENCE
from tests.servers import eventually
from tests.stack import Stack

# What a supervisor waits before it starts again what died (cli/local/supervise.py).
BACKOFF_S = 0.5
READY = " ready."
SENT = 600 if LONG else 120


@contextlib.contextmanager
def refusing_writes(stack: Stack) -> Iterator[None]:
    """As on a full disk, or a server that lost its replicas."""
    stack.redis.config_set("min-replicas-to-write", 1)
    try:
        yield
    finally:
        stack.redis.config_set("min-replicas-to-write", 0)


def test_a_killed_listener_loses_nothing(stack: Stack, watch: Watch, measured: Measured) -> None:
    stack.kill("changes")
    started = time.monotonic()
    watch.sales()
    stack.start("changes")
    measured(32, watch.recovered(within_s=5.0, since=started))
    watch.assert_stayed_connected()


def test_two_listeners_dispatch_once_and_one_may_die(stack: Stack, watch: Watch) -> None:
    stack.start("second listener", stack.procfile["changes"])
    eventually(lambda: "listener_connected" in stack.log("second listener"))
    watch.recovered(within_s=5.0)
    stack.kill("changes")
    watch.recovered(within_s=5.0)
    stack.start("changes")
    stack.stop("second listener")
    watch.assert_never_told("changes_unwatched")


def test_killed_worker_children_are_replaced_and_their_task_is_done(
    stack: Stack, watch: Watch, measured: Measured
) -> None:
    with locked(stack):
        watch.sales()
        somebody_waits(stack)
        children = stack.children("worker")
        for child in children:
            child.kill()
        psutil.wait_procs(children, 5 * PATIENCE)
    measured(12, watch.converged(within_s=5.0))
    watch.assert_stayed_connected()
    # Both may have waited for the lock: on a laden machine no pulse comes then for as long as silence takes to be told.
    watch.assert_never_told("computation_failing")
    assert stack.deaths["worker"] == 0


def test_what_a_killed_worker_was_computing_is_computed_by_the_next(
    stack: Stack, watch: Watch, measured: Measured
) -> None:
    with locked(stack):
        watch.sales()
        somebody_waits(stack)
        children = stack.children("worker")
        stack.kill("worker")
        started = time.monotonic()
        assert psutil.wait_procs(children, 10 * PATIENCE)[1] == [], "children outlive their worker"
    time.sleep(max(0.0, started + BACKOFF_S - time.monotonic()))
    stack.start("worker")
    measured(11, watch.converged(within_s=10.0, since=started))
    watch.assert_stayed_connected()


def test_a_commit_overtakes_what_the_sweeper_is_at(stack: Stack, watch: Watch) -> None:
    swept = str(uuid.uuid4())
    with locked(stack):
        stack.celery.send_task("dashboard.recalculate", args=[watch.tenant_ids], task_id=swept, queue="sweep")
        # The sweeper itself lives, and goes on to hold its tenants.
        frozen = eventually(lambda: _backends_of(stack, "sweeper") & set(waiting(stack, asking=READING_FACTS)))
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
    for_changes = partial(_computed_for_changes, stack)
    before = for_changes()
    try:
        watch.sales()
        # The truth alone would say nothing: an audit may find it, too.
        eventually(for_changes, lambda count: count > before, within_s=3.0)
        assert not stack.redis.exists(_result_key(stack, swept))
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    eventually(lambda: stack.redis.exists(_result_key(stack, swept)))
    watch.converged(within_s=3.0)
    watch.assert_stayed_connected()


def test_workers_replaced_one_by_one_do_every_task_that_was_sent(
    stack: Stack, watch: Watch, measured: Measured
) -> None:
    second = stack.procfile["worker"].replace("worker@", "second@")
    sent: list[str] = []

    def send(count: int) -> None:
        for tenant_id in [*watch.tenant_ids * count][:count]:
            sent.append(str(uuid.uuid4()))
            stack.celery.send_task("dashboard.recalculate", args=[[tenant_id]], task_id=sent[-1], queue="commands")

    for starting, stopping, command in (("second worker", "worker", second), ("worker", "second worker", None)):
        stack.start(starting, command)
        ready = stack.log(starting).count(READY)
        send(SENT // 4)
        eventually(partial(_is_ready_again, stack, starting, ready), within_s=20.0)
        send(SENT // 4)
        assert stack.stop(stopping) < 10.0 * PATIENCE
    started = time.monotonic()
    results = [_result_key(stack, task_id) for task_id in sent]
    eventually(lambda: stack.redis.exists(*results), lambda done: done == len(sent), within_s=20.0)
    measured(14, watch.recovered(within_s=10.0, since=started))
    watch.assert_never_told("workers_silent", "computation_failing")


def test_a_worker_that_is_told_to_stop_while_it_computes_gives_its_task_back(stack: Stack, watch: Watch) -> None:
    with locked(stack):
        watch.sales()
        somebody_waits(stack)
        assert stack.stop("worker", signal.SIGTERM) < 10.0 * PATIENCE
    stack.start("worker")
    watch.converged(within_s=10.0)


def test_a_worker_that_cannot_go_on_ends_even_if_its_child_does_not(stack: Stack, watch: Watch) -> None:
    stack.stop("worker")
    worker = stack.start("worker", stack.procfile["worker"].replace("-A workers", "-A tests.faults.hooked"))
    stack.celery.send_task("tests.endless", queue="commands")
    eventually(lambda: stack.redis.exists("tests:endless"), within_s=20.0)
    with refusing_writes(stack):
        eventually(lambda: "Unrecoverable error" in stack.log("worker"))
        worker.wait(10.0 * PATIENCE)
    watch.recovered(within_s=15.0)
    watch.assert_stayed_connected()


def _result_key(stack: Stack, task_id: str) -> str:
    return f"{stack.keys.prefix}:celery:celery-task-meta-{task_id}"


def _backends_of(stack: Stack, name: str) -> set[int]:
    """PostgreSQL's processes behind the connections of a worker's children."""
    ports = [connection.laddr.port for child in stack.children(name) for connection in child.net_connections("inet")]
    rows = stack.db.execute("SELECT pid FROM pg_stat_activity WHERE client_port = ANY(%s)", [ports]).fetchall()
    return {pid for (pid,) in rows}


def _computed_for_changes(stack: Stack) -> int:
    """How many tasks of the worker have ended that the listener sent."""
    return stack.log("worker").count('"queue":"changes"')


def _is_ready_again(stack: Stack, name: str, before: int) -> bool:
    return stack.log(name).count(READY) > before
