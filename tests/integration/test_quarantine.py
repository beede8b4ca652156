"""Tasks that lose their worker are worked off one tenant at a time, and a tenant that ends it three times is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis

from shared.keys import Keys
from shared.outcomes import Outcome
from workers.quarantine import POISON, TRIES, guarded


class Worker:
    """Takes one task up, again and again, as it is delivered."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self.client = client
        self.keys = keys
        self.batches: list[list[str]] = []
        self.before: Callable[[Sequence[str]], object] = lambda _: None

    def run(self, *tenant_ids: str) -> dict[str, str | None]:
        """The reasons by tenant. `before` is called with what is about to be computed."""
        with self.client.pipeline(transaction=False) as pipe:
            pipe.set(self.keys.throttle("held"), "before")
            outcomes = guarded(
                "task", tenant_ids, batch_size=2, client=self.client, pipe=pipe, keys=self.keys, compute=self._compute,
                report_failure=lambda tenant_id, reason: Outcome(tenant_id=tenant_id, status="failed", reason=reason),
            )  # fmt: skip
            pipe.execute()
        return {one.tenant_id: one.reason for one in outcomes}

    def _compute(self, tenant_ids: Sequence[str]) -> list[Outcome]:
        self.before(tenant_ids)
        self.batches.append(list(tenant_ids))
        return [Outcome(tenant_id=tenant_id, status="changed") for tenant_id in tenant_ids]

    def counted(self, *names: str) -> list[int]:
        return [int(self.client.get(name) or 0) for name in names]


class Died(BaseException):
    """The process has ended: nothing of what follows is done."""


@pytest.fixture
def worker(valkey: redis.Redis, keys: Keys) -> Worker:
    return Worker(valkey, keys)


def dies(worker: Worker, *tenant_ids: str, of: str | None = None) -> None:
    """The worker's process ends as it computes them (or `of` alone); what it would clear up stays as it was then."""
    left: dict[str, Any] = {}

    def die(computed: Sequence[str]) -> None:
        if of is None or of in computed:
            names = (worker.keys.attempts("task"), *(worker.keys.poison(one) for one in tenant_ids))
            left.update((name, worker.client.get(name)) for name in names)
            raise Died

    worker.before = die
    with pytest.raises(Died):
        worker.run(*tenant_ids)
    worker.before = lambda _: None
    for name, value in left.items():
        if value is not None:
            worker.client.set(name, value)


def test_a_task_is_counted_and_what_was_queued_is_said_before_anything_is_computed(worker: Worker) -> None:
    attempts = worker.keys.attempts("task")
    seen: list[object] = []
    worker.before = lambda _: seen.append((worker.counted(attempts), worker.client.get(worker.keys.throttle("held"))))
    assert worker.run("a", "b", "c") == {"a": None, "b": None, "c": None}
    assert worker.batches == [["a", "b"], ["c"]]
    assert seen == [([1], b"before")] * 2
    assert not worker.client.exists(attempts)


def test_whatever_is_raised_is_no_lost_worker(worker: Worker) -> None:
    def fail(_: Sequence[str]) -> None:
        raise ValueError("none of ours")

    worker.before = fail
    with pytest.raises(ValueError, match="none of ours"):
        worker.run("a")
    assert not worker.client.exists(worker.keys.attempts("task"))


def test_after_a_lost_worker_each_tenant_is_counted_before_it_is_tried_alone(worker: Worker) -> None:
    dies(worker, "a", "b")
    a, b = worker.keys.poison("a"), worker.keys.poison("b")
    seen: list[list[int]] = []
    worker.before = lambda _: seen.append(worker.counted(a, b))
    worker.run("a", "b")
    assert worker.batches == [["a"], ["b"]]
    assert seen == [[1, 0], [0, 1]]
    assert not worker.client.exists(a, b, worker.keys.attempts("task"))


def test_who_ends_the_worker_three_times_is_left_out_and_others_are_not(worker: Worker) -> None:
    dies(worker, "bad", "good")
    for _ in range(TRIES):
        dies(worker, "bad", "good", of="bad")
    assert worker.run("bad", "good") == {"bad": POISON, "good": None}
    assert worker.batches == [["good"]]
