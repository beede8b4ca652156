"""What every command knows of this clone: where it is, its .env, and where its bin/run listens."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from dotenv import dotenv_values

from shared.errors import DaybookError

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
# Written by a bin/run that runs, and what it holds a lock on.
RUN_FILE, LOCK_FILE = "run.json", "lock"


class NotAClone(DaybookError):
    """Production images leave out the demo and what only a clone needs. Run the command in a clone."""


class AlreadyRunning(Exception):
    """Another bin/run of this clone is running; two would write into one data directory."""


def environment(root: Path = ROOT) -> dict[str, str]:
    """The variables of this process, above those of a file .env in the clone."""
    file = {name: value for name, value in dotenv_values(root / ".env", interpolate=False).items() if value is not None}
    return {**file, **os.environ}


@contextlib.contextmanager
def locked(directory: Path = LOCAL) -> Iterator[None]:
    """Hold the clone's lock; raises AlreadyRunning. The kernel frees it with this process, however it ends."""
    with (directory / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning from None
        yield


def running(directory: Path = LOCAL) -> dict[str, str]:
    """The variables of the bin/run that is running, empty when none is. A killed one leaves its file, not its lock."""
    if not (directory / RUN_FILE).exists():
        return {}
    try:
        with locked(directory):
            return {}
    except AlreadyRunning:
        variables: dict[str, str] = json.loads((directory / RUN_FILE).read_text())
        return variables
