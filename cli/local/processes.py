"""Starting and stopping child processes so that none is ever left behind, whatever becomes of this one.

Each child leads a session of its own: Ctrl-C in a terminal reaches only us, and we stop the children in order. On Linux
the kernel signals a child whose parent died (PR_SET_PDEATHSIG), so even kill -9 leaves nothing. Call from the main
thread only: the kernel takes the end of the thread that started a child for the end of the parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

# How long the rest of a killed process group may take to disappear.
GROUP_TIMEOUT_S = 5.0

PROC = Path("/proc")


def spawn(
    argv: Sequence[str],
    *,
    stop_signal: signal.Signals,
    stdout: int | IO[bytes],
    cwd: Path | str,
    env: Mapping[str, str] | None = None,
    account: Mapping[str, Any] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in its own session; it gets `stop_signal` when this process dies. `account`: user and groups."""
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=env,
        start_new_session=True,
        preexec_fn=_end_with_parent(stop_signal),
        **(account or {}),
    )


def _end_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    if _libc is None:
        return None
    libc, parent = _libc, os.getpid()

    def arrange() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before it could be watched
            os._exit(1)

    return arrange


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals, grace_s: float) -> None:
    """Ask the leader to stop, wait, then kill whatever is left of its group."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a child and whatever else is in its group, and wait until all are gone."""
    signal_group(process.pid, signal.SIGKILL)
    process.wait()  # until it is reaped, the group exists
    kill_group(process.pid)


def kill_group(leader: int) -> None:
    """Kill every process of a group and wait until it is gone; for a group whose leader is not our child, or reaped."""
    signal_group(leader, signal.SIGKILL)
    wait_for_group(leader, GROUP_TIMEOUT_S)


def wait_for_group(leader: int, timeout_s: float) -> None:
    """Wait until nothing of a group runs any more, at most so long."""
    deadline = time.monotonic() + timeout_s
    while is_group_alive(leader) and time.monotonic() < deadline:
        time.sleep(0.02)


def is_group_alive(leader: int) -> bool:
    """Whether a process of the group runs. A zombie does not count: init may take long to reap an orphan."""
    if not signal_group(leader, None):
        return False
    return not PROC.is_dir() or any(True for _ in group_members(leader))


def group_members(leader: int) -> Iterator[Path]:
    """Directories in /proc of what runs in a process group; none where there is no /proc."""
    for path in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, group, *_ = stat_fields(path)
            if group == str(leader) and state not in "ZX":
                yield path


def stat_fields(path: Path) -> list[str]:
    """Fields of /proc/PID/stat from the third on: state, parent, group … The name before them may hold anything."""
    return (path / "stat").read_text().rpartition(")")[2].split()


def signal_group(leader: int, how: signal.Signals | None) -> bool:
    """Signal a process group (None: only look); false when it does not exist."""
    try:
        os.killpg(leader, how or 0)
    except (ProcessLookupError, PermissionError):  # the latter on macOS, when only zombies are left
        return False
    return True
