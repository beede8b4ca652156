"""Everything at once: seeded faults while rows are written and clients watch; in the end all of it is the truth.

DAYBOOK_STRESS_SECONDS=1800 makes it long, DAYBOOK_STRESS_SEED repeats the order of faults of an earlier run.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable

import pytest
import structlog

from tests.faults.rows import Writer
from tests.faults.watch import Watch
from tests.stack import Stack

SECONDS = float(os.environ.get("DAYBOOK_STRESS_SECONDS", "20"))
SEED = int(os.environ.get("DAYBOOK_STRESS_SEED", "0")) or random.randrange(1, 1_000_000)
TENANTS = 4
# Longest: a task reserved by a dead worker is dispatched again after this many seconds (workers/capture/throttle.py).
SETTLED_WITHIN_S = 40.0

log = structlog.get_logger()

pytestmark = pytest.mark.timeout(SECONDS + 400)


class Faults:
    """What may happen, each by its name."""

    def __init__(self, stack: Stack, choice: random.Random) -> None:
        self._stack = stack
        self._random = choice
        self.done: list[str] = []

    def one(self) -> None:
        """Whatever comes next."""
        kinds: list[Callable[[], None]] = [
            self.kill_worker_child, self.kill_process, self.end_process, self.freeze_process,
            self.kill_web_worker, self.reload_web, self.kill_subscriptions, self.kill_redis_clients,
            self.freeze_redis, self.empty_redis, self.kill_redis, self.restart_redis_empty,
            self.terminate_backends, self.restart_postgresql, self.kill_postgresql,
        ]  # fmt: skip
        kind = self._random.choice(kinds)
        self.done.append(kind.__name__)
        kind()

    def kill_worker_child(self) -> None:
        for child in self._stack.children("worker")[:1]:
            child.kill()

    def kill_process(self) -> None:
        self._stack.running[self._some_process()].kill()

    def end_process(self) -> None:
        self._stack.end(self._some_process())

    def freeze_process(self) -> None:
        name = self._some_process()
        self._stack.signal(name, signal.SIGSTOP)
        time.sleep(2.0)
        self._stack.signal(name, signal.SIGCONT)

    def kill_web_worker(self) -> None:
        for child in self._stack.children("web"):
            child.kill()

    def reload_web(self) -> None:
        self._stack.running["web"].send_signal(signal.SIGHUP)

    def kill_subscriptions(self) -> None:
        self._stack.redis.client_kill_filter(_type="pubsub")

    def kill_redis_clients(self) -> None:
        self._stack.redis.client_kill_filter(_type="normal")

    def freeze_redis(self) -> None:
        process = self._stack.valkey.process
        assert process
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.0)
        process.send_signal(signal.SIGCONT)

    def empty_redis(self) -> None:
        self._stack.redis.flushall()

    def kill_redis(self) -> None:
        process = self._stack.valkey.process
        assert process
        process.kill()
        process.wait()
        self._stack.valkey.start()

    def restart_redis_empty(self) -> None:
        self._stack.valkey.stop()
        shutil.rmtree(self._stack.valkey.data_dir)
        self._stack.valkey.start()

    def terminate_backends(self) -> None:
        self._stack.db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname <> ''"
        )

    def restart_postgresql(self) -> None:
        self._stack.postgres.stop()
        self._stack.postgres.start()

    def kill_postgresql(self) -> None:
        assert self._stack.postgres.process
        os.killpg(self._stack.postgres.process.pid, signal.SIGKILL)
        self._stack.postgres.process.wait()
        self._stack.postgres.start()

    def _some_process(self) -> str:
        return self._random.choice(sorted(name for name, process in self._stack.running.items() if not process.poll()))


def test_whatever_happens_everyone_ends_with_the_truth(stack: Stack) -> None:
    log.info("stress", seed=SEED, seconds=SECONDS)
    choice = random.Random(SEED)
    with Watch(stack, tenants=TENANTS, sockets=2, streams=2) as watch:
        faults = Faults(stack, choice)
        until = time.monotonic() + SECONDS
        try:
            with Writer(stack.database_url, watch.tenant_ids, SEED) as writer:
                while time.monotonic() < until:
                    faults.one()
                    time.sleep(choice.uniform(0.2, 2.5))
                    stack.revive()
            stack.heal()
            took_s = watch.converged(within_s=SETTLED_WITHIN_S)
            watch.assert_histories()
        except BaseException as error:
            error.add_note(f"DAYBOOK_STRESS_SEED={SEED}: {', '.join(faults.done)}")
            raise
        assert writer.committed > SECONDS
        log.info("stressed", faults=len(faults.done), committed=writer.committed, settled_s=round(took_s, 2))
