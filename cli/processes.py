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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

# How long the rest of a killed process group may take to disappear.
GROUP_TIMEOUT_S = 5.0


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
    kill_group(process.pid)
    process.wait()


def kill_group(leader: int) -> None:
    """Kill every process of the group and wait until it is gone."""
    signal_group(leader, signal.SIGKILL)
    deadline = time.monotonic() + GROUP_TIMEOUT_S
    while signal_group(leader, None) and time.monotonic() < deadline:
        time.sleep(0.01)


def signal_group(leader: int, how: signal.Signals | None) -> bool:
    """Signal a process group (None: only look); false when it does not exist."""
    try:
        os.killpg(leader, how or 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS answers so for a group of which only zombies are left.
        return False
    return True
