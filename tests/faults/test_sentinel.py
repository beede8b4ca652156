"""The master of a Sentinel group dies; a replica takes over, without what it had not received."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
import redis
from redis.sentinel import Sentinel

from cli.local import processes
from cli.local.embedded import Valkey, free_port
from tests.faults.conftest import Measured
from tests.faults.watch import Watch
from tests.servers import eventually
from tests.stack import Stack

MASTER = "daybook"
QUORUM = 2
# A master that is silent for so long is taken for dead.
DOWN_AFTER_MS = 1000
SENTINEL = """
port {port}
bind 127.0.0.1
dir {directory}
sentinel monitor {master} 127.0.0.1 {master_port} {quorum}
sentinel down-after-milliseconds {master} {down_after_ms}
sentinel failover-timeout {master} 10000
"""


class Group:
    """A master that tests can kill, its replica and three sentinels."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.master, self.replica = (Valkey(data_dir=root / name, port=free_port()) for name in ("master", "replica"))
        self.ports = [free_port() for _ in range(3)]
        self.replica.options = ("--replicaof", "127.0.0.1", str(self.master.port))
        for server in (self.master, self.replica):
            server.start()
            stack.callback(server.stop)
        for port in self.ports:
            stack.callback(processes.end, self._sentinel(root / f"sentinel-{port}", port))
        self.sentinel = Sentinel([("127.0.0.1", port) for port in self.ports], socket_timeout=1.0)  # type: ignore[no-untyped-call]
        eventually(self.is_complete)

    @property
    def url(self) -> str:
        """As operators write it."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"sentinel://{hosts}/0?master={MASTER}"

    def is_complete(self) -> bool:
        """Whether every sentinel knows the replica and the other sentinels."""
        try:
            states: list[Any] = [one.sentinel_master(MASTER) for one in self.sentinel.sentinels]
        except redis.RedisError:
            return False
        return all(state["num-slaves"] == 1 and state["num-other-sentinels"] == 2 for state in states)

    def _sentinel(self, directory: Path, port: int) -> Popen[bytes]:
        directory.mkdir()
        config = directory / "sentinel.conf"
        config.write_text(
            SENTINEL.format(
                port=port, directory=directory, master=MASTER, master_port=self.master.port, quorum=QUORUM,
                down_after_ms=DOWN_AFTER_MS,
            )
        )  # fmt: skip
        with (directory / "log").open("wb") as log:
            return processes.spawn(
                [str(self.master.binary), str(config), "--sentinel"], stop_signal=signal.SIGKILL, stdout=log, cwd="/"
            )


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    with ExitStack() as stack:
        yield Group(tmp_path, stack)


def test_a_failover_costs_seconds_and_no_version_goes_back(group: Group, measured: Measured) -> None:
    with Stack(redis_url=group.url) as stack, Watch(stack, tenants=2) as watch:
        assert group.master.process
        # What the replica never gets: versions that clients have seen and the new master has not.
        assert group.replica.process
        group.replica.process.send_signal(signal.SIGSTOP)
        watch.recovered(within_s=5.0)
        group.master.process.kill()
        group.master.process.wait()
        started = time.monotonic()
        group.replica.process.send_signal(signal.SIGCONT)
        eventually(lambda: watch.all_told_stale(started), within_s=6.0)
        measured(6, watch.converged(within_s=20.0, since=started))
        watch.recovered(within_s=5.0)
        watch.assert_stayed_connected()
        assert {len({seen.version.epoch for seen in client.history}) for client in watch.clients} <= {1, 2}
