"""Two of every process at once: no work is done twice beyond the documented bound, and any one of each is enough."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from cli.local.embedded import free_port
from cli.local.procfile import read_procfile
from shared.counters import COMPUTED, TASKS, Counted
from shared.store import SnapshotReader
from tests.patience import PATIENCE
from tests.servers import PROJECT, eventually
from tests.stack import Stack
from tests.tokens import bearer
from workers.audit import Audit, Finding

TENANTS = [f"t{number}" for number in range(12)]
SLOT_S = 10
ROUNDS = 3
DOUBLED = {f"second {name}": line for name, line in read_procfile(PROJECT / "Procfile").items() if name != "web"}


# One stack for all of this module: its tests stay in one process.


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    env = {"DASHBOARD_COLD_TIMEOUT": str(SLOT_S), "DASHBOARD_AUDIT_INTERVAL": "0", "WORKER_CONCURRENCY": "1"}
    with Stack(env=env, commands=DOUBLED) as stack:
        for tenant_id in TENANTS:
            stack.add_tenant(tenant_id)
        settle(stack)
        yield stack


def settle(stack: Stack) -> None:
    """Wait until every change is computed and every tenant has a snapshot."""

    def settled() -> bool:
        waiting = stack.db.execute("SELECT count(*) FROM dashboard.change").fetchone()
        keys = [stack.keys.snapshot(tenant_id) for tenant_id in TENANTS]
        return waiting == (0,) and stack.redis.exists(*keys) == len(keys)

    eventually(settled, within_s=40.0)


def counts(stack: Stack) -> tuple[float, float]:
    """Tenants computed, and tasks of the sweep; here a sweep is one task."""
    counted = Counted(stack.redis.hgetall(stack.keys.metrics))
    return sum(counted.by_value(COMPUTED).values()), counted.by_value(TASKS)["sweep"]


def audited(stack: Stack) -> list[Finding]:
    reader = SnapshotReader(stack.redis, stack.keys)
    audit = Audit(engine=stack.engine, reader=reader, recompute=lambda _: settle(stack))
    return [finding for finding in audit.findings(TENANTS) if finding.verdict != "clean"]


def test_each_change_is_computed_once_and_each_slot_swept_once(stack: Stack) -> None:
    first_slot = int(time.time()) // SLOT_S
    computed, sweeps = counts(stack)
    for _ in range(ROUNDS):
        for tenant_id in TENANTS:
            stack.sale(tenant_id)
        settle(stack)
    eventually(lambda: int(time.time()) // SLOT_S > first_slot, within_s=2 * SLOT_S)
    eventually(lambda: counts(stack)[1] > sweeps, within_s=2 * SLOT_S)
    slots = int(time.time()) // SLOT_S - first_slot + 1
    computed, sweeps = (after - before for after, before in zip(counts(stack), (computed, sweeps), strict=True))
    assert 1 <= sweeps <= slots
    # A sweep that ends while a change of the tenant is queued frees its pace: that change may be dispatched once more.
    assert computed <= len(TENANTS) * (ROUNDS + 2 * sweeps)
    assert audited(stack) == []
    assert not stack.deaths


def test_any_one_of_each_is_enough(stack: Stack) -> None:
    second_port = free_port()
    stack.start("second web", stack.procfile["web"], PORT=str(second_port))
    eventually(lambda: ready(second_port), within_s=30.0)
    before = revenue(second_port, "t0")
    for name in ("beat", "changes", "worker", "sweeper", "web"):
        stack.kill(name)
    for tenant_id in TENANTS:
        stack.sale(tenant_id, total=1000)
    settle(stack)
    assert revenue(second_port, "t0") == before + 1000
    sweeps, pulse = counts(stack)[1], stack.redis.get(stack.keys.pulse)
    eventually(lambda: counts(stack)[1] > sweeps, within_s=3 * SLOT_S)
    eventually(lambda: stack.redis.get(stack.keys.pulse) != pulse, within_s=10.0)
    eventually(lambda: ready(second_port))


def revenue(port: int, tenant_id: str) -> float:
    """Today's revenue as a web process serves it as soon as it is fresh."""
    address = f"http://127.0.0.1:{port}/api/dashboard/realtime/aggregate/"
    seen = eventually(
        lambda: requests.get(address, headers=bearer(tenant_id), timeout=10 * PATIENCE).json(),
        lambda seen: not seen["stale"],
    )
    value: float = seen["metrics"][0]["value"]
    return value


def ready(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).ok
    except requests.RequestException:
        return False
