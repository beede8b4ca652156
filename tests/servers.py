"""A real web process for tests: gunicorn as it runs in production, on a free port, with snapshots written beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec
import redis
import requests

from cli.embedded import free_port
from shared.keys import Keys
from shared.pulse import Pulse
from shared.store import Candidate, SnapshotWriter, SourceState
from shared.versions import Version
from tests.tokens import SECRET

PROJECT = Path(__file__).parents[1]
READY_WITHIN_S = 20.0


def free_to_use(port: int | None) -> int:
    """The port asked for, or any."""
    return port or free_port()


@dataclass
class Beat:
    """The workers' pulse, as long as it beats: what tells a web process that workers and database are well."""

    client: redis.Redis
    keys: Keys
    database_ms: float | None = 1.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def once(self) -> None:
        """One beat."""
        pulse = Pulse(at_ms=time.time_ns() // 1_000_000, database_ms=self.database_ms)
        self.client.set(self.keys.pulse, msgspec.json.encode(pulse))

    def start(self) -> None:
        self.once()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            try:
                self.once()
            except redis.RedisError:
                continue  # tests take Redis away


@dataclass
class WebServer:
    """One gunicorn. A context manager: started on entry, stopped with SIGTERM on exit."""

    redis_url: str
    keys: Keys
    env: Mapping[str, str] = field(default_factory=dict)
    beating: bool = True
    port: int | None = None

    def __enter__(self) -> Self:
        self.port = free_to_use(self.port)
        self.client = redis.Redis.from_url(self.redis_url)
        self.beat = Beat(self.client, self.keys)
        if self.beating:
            self.beat.start()
        self._log = tempfile.TemporaryFile()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.beat.stop()
        self.client.close()
        self._log.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """Everything that the processes wrote so far."""
        # pread: the position belongs to the process that writes.
        return os.pread(self._log.fileno(), 100_000_000, 0).decode()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log's lines."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    def start(self) -> None:
        """Start the process and wait until it answers."""
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "REDIS_URL": self.redis_url,
            "DASHBOARD_KEY_PREFIX": self.keys.prefix,
            "JWT_SECRET_KEY": SECRET,
            "PORT": str(self.port),
            **self.env,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "web/gunicorn_config.py", "web.app:create_app_from_env()"],
            cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                if requests.get(f"{self.url}/livez", timeout=1).ok:
                    return
            except requests.RequestException:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"the web server did not start:\n{self.log}") from None
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for all that is left ten seconds later."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def write(self, tenant_id: str, *, as_of_ms: int | None = None, **fields: Any) -> Version:
        """Publish a snapshot of the tenant with these fields, computed from a database state of this moment."""
        return write_snapshot(self.client, self.keys, tenant_id, as_of_ms=as_of_ms, **fields)


def write_snapshot(
    client: redis.Redis, keys: Keys, tenant_id: str, *, as_of_ms: int | None = None, **fields: Any
) -> Version:
    """Publish a small snapshot and overview with these fields, as a worker would."""
    body = json.dumps({"user_id": tenant_id, **fields}).encode()
    candidate = Candidate(
        tenant_id=tenant_id,
        source=SourceState(
            lineage="test/1", state=time.time_ns() // 1000, as_of_ms=as_of_ms or time.time_ns() // 1_000_000
        ),
        digest=repr(sorted(fields.items())),
        snapshot=body,
        overview=body,
    )
    version = SnapshotWriter(client, keys).write([candidate])[0].version
    assert version is not None
    return version
