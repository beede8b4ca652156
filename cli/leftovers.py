"""Processes of an earlier run that was killed before it could stop them: each is on record while it runs.

A record names boot, pid and start time, so that neither a reboot nor a reused pid can make us stop a stranger.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

from cli.processes import kill_group, signal_group

GRACE_S = 10.0


def record(directory: Path, name: str, pid: int) -> None:
    """Note that `name` runs as `pid`, the leader of its process group."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(_identity(pid))


def forget(directory: Path, name: str) -> None:
    """The process was stopped."""
    (directory / name).unlink(missing_ok=True)


def stop_leftovers(directory: Path) -> list[str]:
    """Stop what is on record and still runs, all at once; returns the names. Nobody else may be starting meanwhile."""
    running: dict[str, int] = {}
    for path in sorted(directory.glob("*")):
        pid = _pid(path.read_text())
        if pid is not None:
            running[path.name] = pid
            # PostgreSQL takes SIGINT for "end the sessions and stop", SIGTERM for "wait for the sessions".
            signal_group(pid, signal.SIGINT if path.name == "postgres" else signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while any(signal_group(pid, None) for pid in running.values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in running.values():
        kill_group(pid)
    for path in directory.glob("*"):
        path.unlink()
    return list(running)


def _pid(text: str) -> int | None:
    words = text.split()
    if len(words) != 3 or not words[1].isdecimal():
        return None
    pid = int(words[1])
    return pid if _identity(pid) == text else None


def _identity(pid: int) -> str:
    """boot id, pid, start time; the start time is empty (never equal to a record) where there is no such process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The name in field 2 may hold spaces and brackets: count from its closing one. Field 22 is the start time.
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return f"unknown {pid}"
    return f"{boot} {pid} {started}"
