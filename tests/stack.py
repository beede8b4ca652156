"""The whole product for tests that hurt it: PostgreSQL, Valkey and every process of the Procfile, all of the test's own.

Nothing is started again by itself: a test that kills a process says when the supervisor would have been back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from subprocess import Popen
from typing import Any, Self

import psutil
import psycopg
import redis
import requests
from celery import Celery
from sqlalchemy import Engine

from cli.local import processes
from cli.local.embedded import Postgres, Valkey, free_port
from cli.local.procfile import read_procfile
from shared.broker import celery_options, celery_url
from shared.keys import Keys
from shared.redis_client import connect
from shared.settings import Settings
from tests.days import today
from tests.patience import PATIENCE
from tests.rows import Rows, add_tenant
from tests.servers import PROJECT, eventually, inherited_environment
from tests.tokens import SECRET, bearer
from workers.database import make_engine
from workers.migrate import migrate
from workers.roles import Login

READY_WITHIN_S = 40.0
# A web process drains its sockets, a worker finishes its tasks.
ENDED_WITHIN_S = 30.0 * PATIENCE
# What a crash of the server may lose is not what is tested here, so only the machine's crash is left out.
_POSTGRES = ("fsync=off", "max_connections=60", "shared_buffers=32MB")
# Every process runs as in production; these only keep the tests' own clients from being refused.
_ENV = {
    "DASHBOARD_RATE_REQUESTS": "1000000/minute",
    "DASHBOARD_RATE_REQUESTS_PER_USER": "1000000/minute",
    "DASHBOARD_RATE_STREAMS": "1000000/minute",
    "DASHBOARD_RATE_RECALCULATIONS": "1000000/minute",
    # Nobody looks at most tenants of the tests, whose changes then would wait.
    "DASHBOARD_COLD_DELAY": "0",
    "PYTHONUNBUFFERED": "1",
}


@dataclass
class Stack:
    """A context manager: everything runs on entry, nothing is left on exit. `env` goes to every process.

    `commands`: other commands than the Procfile's, by process name; None leaves a process out. `fill` writes the rows that
    are there before anything else runs. `disks`: where "postgres" and "valkey" keep their data, if somewhere else.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, str | None] = field(default_factory=dict)
    append_only: bool = True
    redis_url: str | None = None
    postgres_options: Sequence[str] = _POSTGRES
    fill: Callable[[Engine], object] = lambda _: None
    disks: Mapping[str, Path] = field(default_factory=dict)
    running: dict[str, Popen[bytes]] = field(default_factory=dict)
    ending: list[Popen[bytes]] = field(default_factory=list)
    deaths: Counter[str] = field(default_factory=Counter)
    _rows: dict[str, Rows] = field(default_factory=dict)
    _connection: psycopg.Connection[Any] | None = None

    def __enter__(self) -> Self:
        self.root = Path(tempfile.mkdtemp(prefix="daybook-stack-"))
        self.root.chmod(0o711)  # PostgreSQL does not run as root
        self.port = free_port()
        self.postgres = Postgres(
            data_dir=self.disks.get("postgres", self.root) / "postgres",
            port=free_port(),
            options=tuple(self.postgres_options),
        )
        self.valkey = Valkey(
            data_dir=self.disks.get("valkey", self.root) / "valkey", port=free_port(), append_only=self.append_only
        )
        try:
            for service in (self.postgres, self.valkey):
                service.prepare()
                service.spawn()
            for service in (self.postgres, self.valkey):
                service.wait()
            migrate(self.engine, owner=Login("daybook_owner"), worker=Login("daybook_worker"))
            self.fill(self.engine)
            for name in self.procfile:
                self.start(name)
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection:
            self._connection.close()
        self.engine.dispose()
        self.redis.close()
        for process in self.running.values():
            processes.signal_group(process.pid, signal.SIGCONT)
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            processes.stop(process, signal.SIGTERM, 5.0)
        for service in (self.valkey, self.postgres):
            if service.process is not None:
                processes.signal_group(service.process.pid, signal.SIGCONT)
            service.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    # What runs.

    @cached_property
    def procfile(self) -> dict[str, str]:
        """The commands of the processes by name."""
        found: dict[str, str | None] = {**read_procfile(PROJECT / "Procfile"), **self.commands}
        return {name: command for name, command in found.items() if command}

    def start(self, name: str, command: str | None = None, **env: str) -> Popen[bytes]:
        """Start a process of the Procfile (or another one), again if it ran before."""
        with self.log_file(name).open("ab") as log:
            process = processes.spawn(
                ["/bin/sh", "-c", f"exec {command or self.procfile[name]}"],
                stop_signal=signal.SIGKILL, stdout=log, cwd=PROJECT, env=self.environment(name) | env,
            )  # fmt: skip
        self.running[name] = process
        return process

    def environment(self, name: str) -> dict[str, str]:
        """The variables of a process: as bin/run sets them."""
        variables = {
            **inherited_environment(),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DATABASE_URL": self.postgres.url(role=Login("daybook_worker")),
            "REDIS_URL": self.redis_url or self.valkey.url(),
            "JWT_SECRET_KEY": SECRET,
            "PORT": str(self.port),
            **_ENV,
            **self.env,
        }
        return {key: value for key, value in variables.items() if name != "web" or key != "DATABASE_URL"}

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM, grace_s: float = 10.0 * PATIENCE) -> float:
        """End a process and whatever it left; seconds until it was gone by itself."""
        started = time.monotonic()
        process = self.running.pop(name)
        processes.stop(process, how, grace_s)
        return time.monotonic() - started

    def end(self, name: str) -> None:
        """SIGTERM for a process that goes when it is done; `heal` waits for that before it looks what runs."""
        self.running[name].send_signal(signal.SIGTERM)
        self.ending.append(self.running[name])

    def kill(self, name: str) -> None:
        """kill -9 for the process alone, not for its children."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def children(self, name: str) -> list[psutil.Process]:
        """The processes that one of them forked."""
        return psutil.Process(self.running[name].pid).children()

    def signal(self, name: str, how: signal.Signals) -> None:
        """A signal for a process and its children."""
        processes.signal_group(self.running[name].pid, how)

    def heal(self) -> None:
        """Start whatever does not run, wake whatever is frozen, and wait until all is ready."""
        for service in (self.postgres, self.valkey):
            if service.process is None or service.process.poll() is not None:
                service.start()
            processes.signal_group(service.process.pid, signal.SIGCONT)  # type: ignore[union-attr]
        for name in self.running:
            self.signal(name, signal.SIGCONT)
        while self.ending:
            self.ending.pop().wait(ENDED_WITHIN_S)
        for name in self.procfile:
            process = self.running.get(name)
            if process is None or process.poll() is not None:
                self.start(name)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Until clients are served what a worker computes and a listener finds."""
        try:
            eventually(self.is_ready, within_s=READY_WITHIN_S)
        except AssertionError as error:
            raise AssertionError(f"the stack is not ready: {error}\n{self.last_words()}") from None

    def is_ready(self) -> bool:
        """Whether readyz says so and a listener has passed."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok and bool(self.redis.get(self.keys.listener))
        except (requests.RequestException, redis.RedisError):
            return False

    def revive(self) -> None:
        """Start again what died by itself, as a supervisor would; `deaths` counts it."""
        for service in (self.postgres, self.valkey):
            if service.process is not None and service.process.poll() is not None:
                processes.end(service.process)
                self.deaths[service.name] += 1
                service.spawn()
        for name, process in list(self.running.items()):
            if process.poll() is not None:
                processes.end(process)
                self.deaths[name] += 1
                self.start(name)

    def log_file(self, name: str) -> Path:
        """Where a process writes."""
        return self.root / f"{name}.log"

    def log(self, name: str) -> str:
        """What a process wrote so far, over all its lives."""
        path = self.log_file(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def last_words(self) -> str:
        """The ends of what everything wrote: for the message of a failure."""
        services = {service.name: service.log.read_text(errors="replace") for service in (self.postgres, self.valkey)}
        written = {name: self.log(name) for name in self.running} | services
        return "\n".join(f"── {name}\n{text[-3000:]}" for name, text in written.items())

    # What it is reached by.

    @property
    def url(self) -> str:
        """The web process."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database_url(self) -> str:
        """PostgreSQL, as the host's superuser sees it; the processes are told another role."""
        return self.postgres.url()

    @cached_property
    def keys(self) -> Keys:
        """The names of the keys in Redis."""
        return Keys()

    @cached_property
    def engine(self) -> Engine:
        """For the independent calculation."""
        return make_engine(self.database_url)

    @cached_property
    def redis(self) -> redis.Redis:
        """The test's own client; errors rise at once."""
        if self.redis_url:
            return connect(self.redis_url, timeout_s=5.0)
        return redis.Redis.from_url(self.valkey.url(), socket_timeout=5)

    @cached_property
    def celery(self) -> Celery:
        """Sends tasks as bin/dash does."""
        settings = Settings(redis_url=self.valkey.url())
        app = Celery("daybook-tests", broker=celery_url(settings), set_as_current=False)
        app.conf.broker_transport_options = celery_options(settings)
        return app

    def get(self, tenant_id: str, path: str = "/api/dashboard/realtime/aggregate/") -> requests.Response:
        """A request of a tenant's own."""
        return requests.get(self.url + path, headers=bearer(tenant_id), timeout=10 * PATIENCE)

    # The host product's hand.

    @property
    def db(self) -> psycopg.Connection[Any]:
        """A plain connection, each statement committed at once; a new one when the last one broke."""
        with contextlib.suppress(psycopg.OperationalError):
            if self._connection is not None and not self._connection.closed:
                self._connection.execute("SELECT 1")
                return self._connection
        self._connection = psycopg.connect(self.database_url, autocommit=True, connect_timeout=5)
        for rows in self._rows.values():
            rows.db = self._connection
        return self._connection

    def add_tenant(self, tenant_id: str, **columns: Any) -> Rows:
        """A new tenant and the builder of its rows."""
        self._rows[tenant_id] = add_tenant(self.db, tenant_id, **columns)
        return self._rows[tenant_id]

    def sale(self, tenant_id: str, total: int = 10) -> None:
        """The tenant posts an invoice of today."""
        _ = self.db
        self._rows[tenant_id].invoice(today(), total)
