"""Which due tenants share a task."""

from __future__ import annotations

from workers.loops.batches import MOST_ALONE, RESTLESS_S, TENANTS_PER_TASK, Batches

MANY = [f"t{number}" for number in range(2 * TENANTS_PER_TASK + 1)]


def test_tenants_share_tasks_in_the_order_in_which_they_are_due() -> None:
    batches = Batches().split(MANY, now=0.0)
    assert [len(batch) for batch in batches] == [TENANTS_PER_TASK, TENANTS_PER_TASK, 1]
    assert [tenant_id for batch in batches for tenant_id in batch] == MANY


def test_nobody_waits_for_a_tenant_that_writes_without_rest() -> None:
    batches = Batches()
    batches.split(["busy", "once"], now=0.0)
    assert batches.split(["busy", "a", "b"], now=RESTLESS_S / 2) == [["a", "b"], ["busy"]]
    assert batches.split(["busy", "once"], now=RESTLESS_S * 1.1) == [["once"], ["busy"]]
    assert batches.split(["busy", "a"], now=RESTLESS_S * 9) == [["busy", "a"]]


def test_many_that_write_without_rest_share_tasks_with_each_other() -> None:
    batches = Batches()
    batches.split(MANY, now=0.0)
    few = MANY[:MOST_ALONE]
    assert batches.split(few, now=0.1) == [[tenant_id] for tenant_id in few]
    assert batches.split(["calm", *MANY], now=0.2) == [
        ["calm"], MANY[:TENANTS_PER_TASK], MANY[TENANTS_PER_TASK:-1], MANY[-1:],
    ]  # fmt: skip


def test_nothing_due_is_no_task() -> None:
    assert Batches().split([], now=0.0) == []
