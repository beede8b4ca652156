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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import redis
import requests

from cli.local.embedded import free_port
from shared.keys import Keys
from shared.pulse import Pulse
from shared.store import Candidate, SnapshotWriter, SourceState
from shared.versions import Version
from tests.patience import PATIENCE
from tests.tokens import SECRET

PROJECT = Path(__file__).parents[1]
READY_WITHIN_S = 20.0
# The last two set the clock (tests/clocks).
_INHERITED = ("PATH", "HOME", "LANG", "TZ", "LD_PRELOAD", "CLOCK_AHEAD_S")

T = TypeVar("T")


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
    port: int = 0
    host: str = "127.0.0.1"

    def __enter__(self) -> Self:
        self.port = self.port or free_port()
        self.client = redis.Redis.from_url(self.redis_url)
        self.beat = Beat(self.client, self.keys)
        if self.beating:
            self.beat.start()
        self._log = tempfile.TemporaryFile()
        try:
            self.start()
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.beat.stop()
        self.client.close()
        self._log.close()

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

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
        environment = _environment(self.redis_url, self.keys) | {
            "JWT_SECRET_KEY": SECRET,
            "HOST": self.host,
            "PORT": str(self.port),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "web/gunicorn_config.py", "web.app:create_app_from_env()"],
            cwd=PROJECT, env={**environment, **self.env}, stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=self._log, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + READY_WITHIN_S * PATIENCE
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
        _stop(self.process)

    def write(self, tenant_id: str, *, as_of_ms: int | None = None, **fields: Any) -> Version:
        """Publish a snapshot of the tenant with these fields, computed from a database state of this moment."""
        return write_snapshot(self.client, self.keys, tenant_id, as_of_ms=as_of_ms, **fields)


@dataclass
class Worker:
    """One real Celery worker on every queue. A context manager; ready when its pulse task would be taken."""

    redis_url: str
    database_url: str
    keys: Keys
    env: Mapping[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "workers", "worker", "-Q", "commands,changes,sweep", "-c", "1",
             "--without-gossip", "--without-mingle", "--without-heartbeat"],
            cwd=PROJECT, env={**_environment(self.redis_url, self.keys), "DATABASE_URL": self.database_url, **self.env},
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        _stop(self.process)
        self._log.close()

    @property
    def log(self) -> str:
        """Everything that its processes wrote so far."""
        return os.pread(self._log.fileno(), 100_000_000, 0).decode()

    def pause(self) -> None:
        """Freeze the worker and its children."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)


def inherited_environment() -> dict[str, str]:
    """What processes of the product get of the test run's own environment: little, so that nothing else decides."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "PYTHONPATH": str(PROJECT)}


def _environment(redis_url: str, keys: Keys) -> dict[str, str]:
    # Nobody looks at most tenants of the tests, whose changes then would wait.
    return {
        **inherited_environment(),
        "REDIS_URL": redis_url,
        "DASHBOARD_KEY_PREFIX": keys.prefix,
        "DASHBOARD_COLD_DELAY": "0",
    }


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10 * PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def eventually(read: Callable[[], T], wanted: Callable[[T], object] = bool, *, within_s: float = 10.0) -> T:
    """What `read` returns as soon as it is `wanted`; fails when that takes longer than patience allows."""
    started = time.monotonic()
    while not wanted(found := read()):
        assert (waited_s := time.monotonic() - started) < within_s * PATIENCE, f"still {found!r} after {waited_s:.1f} s"
        time.sleep(0.02)
    return found


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
