"""Stops what a killed bin/run could not stop itself. Every process is on record while it runs, under .local/pids.

Two use the record: a watchdog process that outlives a killed bin/run by seconds, and the next start. A record names
boot, pid and start time, so that neither a reboot nor a reused pid can make us stop a stranger.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cli.clone import ROOT
from cli.local.processes import PROC, group_members, is_group_alive, kill_group, signal_group, stat_fields

GRACE_S = 8.0


def record(directory: Path, name: str, pid: int) -> None:
    """Note that `name` runs as `pid`, the leader of its process group."""
    directory.mkdir(parents=True, exist_ok=True)
    # In one step: a reader finds the old record or the new one, never half of one.
    written = directory.with_name(f"{name}.pid")
    written.write_text(f"{_boot()} {pid} {_started(pid)}")
    written.replace(directory / name)


def forget(directory: Path, name: str) -> None:
    """The process was stopped."""
    (directory / name).unlink(missing_ok=True)


@contextlib.contextmanager
def watchdog(directory: Path) -> Iterator[None]:
    """Have what is still on record stopped as soon as this process ends, even by kill -9."""
    dog = subprocess.Popen(
        [sys.executable, "-m", __name__, str(directory)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    try:
        yield
    finally:
        # It waits for the end of its input; the kernel closes the pipe of a killed process as well.
        dog.communicate()


def stop_leftovers(directory: Path) -> list[str]:
    """Stop what is on record and still runs, all at once; returns the names."""
    records = {path: path.read_text() for path in sorted(directory.glob("*"))}
    groups = {path.name: pid for path, text in records.items() if (pid := _group(text)) is not None}
    for name, pid in groups.items():
        # PostgreSQL takes SIGINT for "end the sessions and stop", SIGTERM for "wait for the sessions".
        signal_group(pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while any(map(is_group_alive, groups.values())) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in groups.values():
        kill_group(pid)
    for path, text in records.items():
        with contextlib.suppress(FileNotFoundError):
            if path.read_text() == text:
                path.unlink()
    return list(groups)


def _group(text: str) -> int | None:
    """The process group of a record, None when it is gone or its number belongs to someone else by now."""
    boot, pid, started = text.split()
    if boot != _boot():
        return None
    leader = int(pid)
    if _started(leader) == started:
        return leader
    if _started(leader) == "gone" and any(_is_ours(path) for path in group_members(leader)):
        return leader
    return None


def _is_ours(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return (path / "cwd").readlink() == ROOT
    return False


def _started(pid: int) -> str:
    with contextlib.suppress(OSError):
        return stat_fields(PROC / str(pid))[19]
    return "gone"


def _boot() -> str:
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def main(directory: Path) -> None:
    """The watchdog: wait for the end of the input, then stop what is on record."""
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(how, signal.SIG_IGN)
    sys.stdin.buffer.read()
    stop_leftovers(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
