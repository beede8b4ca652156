"""The disk below Redis or PostgreSQL is full for a while; clients end with the truth."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.faults.conftest import Measured
from tests.faults.watch import Watch
from tests.servers import eventually
from tests.stack import Stack

# More than either server writes while the tests go on, however slowly: else the disk is full again by itself.
VALKEY_MB, POSTGRES_MB = 64, 160
_BLOCK = bytes(4096)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


class Disk:
    """A file system in memory of a size of its own."""

    def __init__(self, megabytes: int, stack: ExitStack) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="daybook-disk-"))
        stack.callback(self.path.rmdir)
        options = f"size={megabytes}m,mode=0711"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "daybook", str(self.path)], check=True)
        # Lazily: a server that was killed may take a moment to let go.
        stack.callback(subprocess.run, ["umount", "-l", str(self.path)], check=True)
        self._filling = self.path / "filling"

    def fill(self) -> None:
        """Leave not a byte."""
        with contextlib.suppress(OSError), self._filling.open("ab", buffering=0) as file:
            while True:
                file.write(_BLOCK)

    def clear(self) -> None:
        """Make room again."""
        self._filling.unlink()


@pytest.fixture(scope="module")
def disks() -> Iterator[dict[str, Disk]]:
    with ExitStack() as stack:
        yield {"valkey": Disk(VALKEY_MB, stack), "postgres": Disk(POSTGRES_MB, stack)}


@pytest.fixture(scope="module")
def module_stack(disks: dict[str, Disk]) -> Iterator[Stack]:
    with Stack(disks={name: disk.path for name, disk in disks.items()}) as stack:
        yield stack


def answers(stack: Stack) -> bool:
    """Whether PostgreSQL is there."""
    stack.revive()
    try:
        stack.db.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def sell_without_end(stack: Stack, tenant_id: str) -> None:
    """Until a row is refused."""
    while True:
        stack.sale(tenant_id)


def test_a_full_disk_below_redis_makes_everything_stale_until_there_is_room(
    disks: dict[str, Disk], stack: Stack, watch: Watch, measured: Measured
) -> None:
    full = time.monotonic()
    disks["valkey"].fill()
    watch.sales()
    eventually(lambda: watch.all_told_stale(full), within_s=15.0)
    assert {status for client in watch.rest for status in client.statuses_since(full)} == {200}
    disks["valkey"].clear()
    measured(29, watch.converged(within_s=15.0))
    watch.assert_stayed_connected()


def test_a_full_disk_below_postgresql_refuses_rows_and_loses_none(
    disks: dict[str, Disk], stack: Stack, watch: Watch, measured: Measured
) -> None:
    disks["postgres"].fill()
    with pytest.raises(psycopg.OperationalError):
        sell_without_end(stack, watch.tenant)
    disks["postgres"].clear()
    started = time.monotonic()
    eventually(lambda: answers(stack), within_s=10.0)
    measured(29, watch.recovered(within_s=15.0, since=started))
    watch.assert_stayed_connected()
