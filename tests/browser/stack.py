"""Everything between a committed row and the page, as real processes: gunicorn, a Celery worker, beat, the listener."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

import psycopg
import requests

from shared.keys import Keys
from tests.patience import PATIENCE
from tests.servers import PROJECT, WebServer, inherited_environment
from tests.tokens import SECRET, token

READY_WITHIN_S = 30.0
_WORKER = ("celery", "-A", "workers", "worker", "-Q", "commands,changes,sweep", "-c", "1")
_QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")


@dataclass
class Stack:
    """A context manager: started on entry, every process it started ended on exit."""

    database_url: str
    redis_url: str
    keys: Keys
    web_env: Mapping[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._log: IO[bytes] = tempfile.TemporaryFile()
        self._scratch = tempfile.TemporaryDirectory(prefix="daybook-beat-")
        self.web = WebServer(self.redis_url, self.keys, env={"DASHBOARD_DEMO": "1", **self.web_env}, beating=False)
        self.web.__enter__()
        schedule = str(Path(self._scratch.name) / "schedule")
        for command in (
            (*_WORKER, *_QUIET),
            ("celery", "-A", "workers", "beat", "-s", schedule),
            ("workers.listener",),
        ):
            self.processes.append(self._start(command))
        self._wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10 * PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.web.__exit__()
        self._scratch.cleanup()
        self._log.close()

    def sign_in_url(self, tenant_id: str) -> str:
        """The demo's link for one tenant."""
        return f"{self.web.url}/demo/sign-in?token={token(tenant_id)}"

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection]:
        """The host product's hand in the database: each statement is committed at once."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            yield connection

    @contextmanager
    def computing_frozen(self) -> Iterator[None]:
        """Worker, beat and listener stopped in their tracks, and let go again."""
        groups = [process.pid for process in self.processes]
        for group in groups:
            os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            for group in groups:
                os.killpg(group, signal.SIGCONT)

    def _start(self, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        environment = {
            **inherited_environment(),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "DASHBOARD_KEY_PREFIX": self.keys.prefix,
            "DASHBOARD_COLD_DELAY": "0",
            "JWT_SECRET_KEY": SECRET,
        }
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            start_new_session=True,
        )  # fmt: skip

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S * PATIENCE
        while not requests.get(f"{self.web.url}/readyz", timeout=5).ok:
            if time.monotonic() > deadline:
                log = os.pread(self._log.fileno(), 20_000, 0).decode()
                raise AssertionError(f"the stack did not become ready:\n{log}")
            time.sleep(0.1)
