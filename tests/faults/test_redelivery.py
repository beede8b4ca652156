"""Tasks of workers that fell silent are given to others, and a tenant that kills its workers is left out in the end."""

from __future__ import annotations

import json
import signal
import time
import uuid
from typing import Any

import pytest

from cli.local.procfile import read_procfile
from shared.broker import VISIBILITY_TIMEOUT_S
from tests.faults.conftest import LONG, Measured
from tests.faults.locks import locked, somebody_waits
from tests.faults.watch import Watch
from tests.servers import PROJECT, eventually
from tests.stack import Stack

POISON = "poison"
VISIBILITY_S = VISIBILITY_TIMEOUT_S if LONG else 5
HOOKED = {
    name: command.replace("-A workers", "-A tests.faults.hooked")
    for name, command in read_procfile(PROJECT / "Procfile").items()
    if name in ("worker", "sweeper")
}

WORKER_CHILDREN = 2

pytestmark = pytest.mark.timeout(300)


def STACK() -> Stack:  # noqa: N802
    """Workers whose tasks count as lost sooner, unless time does not matter."""
    return Stack(env={"VISIBILITY_S": str(VISIBILITY_S), "POISON": POISON}, commands=HOOKED)


def command(stack: Stack, tenant_id: str) -> str:
    """Ask for a recalculation as a person would; the task's id."""
    task_id = str(uuid.uuid4())
    stack.celery.send_task("dashboard.recalculate", args=[[tenant_id]], task_id=task_id, queue="commands")
    return task_id


def is_idle(stack: Stack) -> bool:
    """Whether the workers have nothing to do, and nothing waits for them: what is taken up next is what is asked next."""
    celery = f"{stack.keys.prefix}:celery:"
    return not stack.redis.exists(*(celery + name for name in ("commands", "changes", "unacked")))


def taken_up(stack: Stack, task_id: str) -> None:
    """Returns when a worker is in the middle of the task."""
    eventually(lambda: stack.redis.exists(stack.keys.attempts(task_id)))
    somebody_waits(stack)


def result(stack: Stack, task_id: str) -> Any:
    """What a task returned, None as long as it has not, or is to be tried again."""
    found = json.loads(stack.redis.get(f"{stack.keys.prefix}:celery:celery-task-meta-{task_id}") or "{}")
    return found["result"]["outcomes"][0]["status"] if found.get("status") == "SUCCESS" else None


def test_a_command_that_was_lost_with_its_worker_is_delivered_again(
    stack: Stack, watch: Watch, measured: Measured
) -> None:
    eventually(lambda: is_idle(stack))
    with locked(stack):
        task_id = command(stack, watch.tenant)
        taken_up(stack, task_id)
        stack.kill("worker")
    started = time.monotonic()
    stack.start("worker")
    eventually(lambda: result(stack, task_id), within_s=VISIBILITY_S + 8)
    measured(11, time.monotonic() - started)
    watch.recovered(within_s=10.0)


def test_what_a_worker_frozen_beyond_its_time_had_read_is_refused(
    stack: Stack, watch: Watch, measured: Measured
) -> None:
    eventually(lambda: is_idle(stack))
    with locked(stack):
        late = command(stack, watch.tenant)
        taken_up(stack, late)
        stack.signal("worker", signal.SIGSTOP)
    frozen_at = time.monotonic()
    stack.sale(watch.tenant)
    stack.start("second worker", HOOKED["worker"].replace("worker@", "second@"))
    # The same task is done by the other worker, with rows that the frozen one has not seen.
    eventually(lambda: result(stack, late), within_s=VISIBILITY_S + 10)
    watch.recovered(within_s=10.0, since=time.monotonic())
    measured(15, time.monotonic() - frozen_at)
    shown = [client.version for client in watch.clients]
    stack.redis.delete(f"{stack.keys.prefix}:celery:celery-task-meta-{late}")
    stack.signal("worker", signal.SIGCONT)
    eventually(lambda: result(stack, late) == "refused")
    assert [client.version for client in watch.clients] == shown
    watch.recovered(within_s=10.0)
    stack.stop("second worker")


def test_a_tenant_that_kills_its_workers_is_left_out_and_others_are_on_time(
    stack: Stack, watch: Watch, measured: Measured
) -> None:
    poisonous, healthy = watch.tenant_ids
    patient = [client for client in watch.live if client.tenant_id == poisonous]
    others = [client for client in watch.live if client.tenant_id == healthy]
    before, started = others[0].version, time.monotonic()
    with stack.db.transaction():  # one batch holds both
        stack.db.execute("UPDATE dashboard.tenant SET name = %s WHERE tenant_id = %s", [POISON, poisonous])
        stack.sale(healthy)
    eventually(lambda: all(client.version != before for client in others), within_s=10.0)
    measured(13, time.monotonic() - started)
    # Celery may take five seconds to notice each of its children's deaths.
    eventually(lambda: watch.all_told_stale(started, patient), within_s=30.0)
    assert all("computation_failing" in client.reasons(started) for client in patient)
    assert all("computation_failing" not in client.reasons(started) for client in others)

    # Left alone from now on: neither the workers nor their log are kept busy by it, once what was sent before has ended.
    eventually(lambda: is_idle(stack), within_s=20.0)
    eventually(lambda: len(stack.children("worker")) == WORKER_CHILDREN)
    children = {child.pid for child in stack.children("worker")}
    lines = stack.log("worker").count("tenant_quarantined")
    for _ in range(10):
        stack.sale(healthy)
        stack.sale(poisonous)
        time.sleep(0.2)
    assert {child.pid for child in stack.children("worker")} == children
    assert stack.log("worker").count("tenant_quarantined") - lines < 5

    stack.db.execute("UPDATE dashboard.tenant SET name = 'mended' WHERE tenant_id = %s", [poisonous])
    stack.redis.delete(stack.keys.poison(poisonous), stack.keys.throttle(poisonous))
    watch.recovered(within_s=10.0)
