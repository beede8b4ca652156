"""What one clone keeps for itself under .local: its secret, the lock of its running bin/run, and where that listens."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.clone import LOCAL, RUN_FILE, locked, running


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.rename(path)


@dataclass(frozen=True, slots=True)
class Local:
    """The directory .local of one clone."""

    directory: Path = LOCAL

    @property
    def postgres(self) -> Path:
        return self.directory / "postgres"

    @property
    def valkey(self) -> Path:
        return self.directory / "valkey"

    @property
    def pids(self) -> Path:
        return self.directory / "pids"

    @property
    def metrics(self) -> Path:
        return self.directory / "metrics"

    def make(self) -> None:
        """Create the directory. Others may pass through it, for PostgreSQL runs as another user when we are root."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            self.directory.chmod(0o711)

    def clear_metrics(self) -> None:
        """Forget what the web processes of the last run counted: a counter starts at 0."""
        shutil.rmtree(self.metrics, ignore_errors=True)
        self.metrics.mkdir()

    def secret(self, purpose: str) -> str:
        """64 hexadecimal digits, other ones for each purpose and each clone, the same at every start."""
        path = self.directory / "secret"
        if not path.exists():
            write_private(path, secrets.token_hex(32))
        return hmac.new(path.read_bytes(), purpose.encode(), hashlib.sha256).hexdigest()

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Hold the clone's lock; raises AlreadyRunning."""
        return locked(self.directory)

    def publish(self, variables: Mapping[str, str]) -> None:
        """Let bin/dash know how to reach what runs; the addresses hold passwords."""
        write_private(self.directory / RUN_FILE, json.dumps(dict(variables), indent=2) + "\n")

    def withdraw(self) -> None:
        """Nothing runs any more."""
        (self.directory / RUN_FILE).unlink(missing_ok=True)

    def running(self) -> dict[str, str]:
        """The variables of the bin/run that is running, empty when none is."""
        return running(self.directory)
