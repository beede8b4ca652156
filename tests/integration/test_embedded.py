"""The embedded servers: as root and not, in a directory that only root may enter, with their data after every accident."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from cli.local.embedded import SESSIONS_LEFT, EmbeddedServiceFailed, Postgres, Valkey, free_port, unprivileged_account
from tests.servers import eventually

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become someone else")
SMALL = ("fsync=off", "shared_buffers=16MB")


@pytest.fixture
def private() -> Iterator[Path]:
    """A directory that only its owner may enter, like /root."""
    with tempfile.TemporaryDirectory(prefix="daybook-private-") as name:
        yield Path(name)


@pytest.fixture
def postgres(private: Path) -> Iterator[Postgres]:
    server = Postgres(private / "postgres", free_port(), options=SMALL, password="right")
    server.start()
    yield server
    server.stop()


def remember(server: Postgres, number: int) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number integer)")
        connection.execute("INSERT INTO kept VALUES (%s)", [number])


def remembered(server: Postgres) -> list[int]:
    with psycopg.connect(server.url()) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM kept ORDER BY number")]


def test_it_keeps_its_data_over_a_stop_and_over_a_kill(postgres: Postgres) -> None:
    remember(postgres, 1)
    postgres.stop()
    postgres.start()
    remember(postgres, 2)
    assert postgres.process is not None
    postgres.process.kill()
    postgres.process.wait()
    postgres.start()
    assert remembered(postgres) == [1, 2]


def wake_once_refused(server: Postgres, session: int) -> None:
    """Let a frozen session notice that its server is gone, once that has kept another one from starting."""
    try:
        eventually(lambda: SESSIONS_LEFT in server.log.read_text())
    finally:
        os.kill(session, signal.SIGCONT)


def test_it_starts_again_as_soon_as_the_sessions_of_a_killed_one_are_gone(postgres: Postgres) -> None:
    remember(postgres, 1)
    assert postgres.process is not None
    with contextlib.closing(psycopg.connect(postgres.url())) as connection:
        session = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert session is not None
        os.kill(session[0], signal.SIGSTOP)
        postgres.process.kill()
        postgres.process.wait()
        waking = threading.Thread(target=wake_once_refused, args=(postgres, session[0]))
        waking.start()
        postgres.start()
        waking.join()
    assert remembered(postgres) == [1]


def test_only_the_right_password_is_let_in(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url()) as connection:
        connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url().replace("right", "wrong"))


@AS_ROOT
def test_a_directory_only_root_may_enter_is_not_opened_to_others(postgres: Postgres, private: Path) -> None:
    assert postgres.account.prefix[0] == "unshare"
    assert private.stat().st_mode & 0o777 == 0o700
    assert (private / "postgres").stat().st_uid == 0


@AS_ROOT
def test_data_follows_when_a_clone_is_opened_or_closed_to_others(private: Path) -> None:
    server = Postgres(private / "postgres", free_port(), options=SMALL)
    for mode, owner in ((0o700, 0), (0o711, pwd.getpwnam("nobody").pw_uid), (0o700, 0)):
        private.chmod(mode)
        server = Postgres(server.data_dir, server.port, options=SMALL)
        server.start()
        remember(server, mode)
        server.stop()
        assert (server.data_dir / "PG_VERSION").stat().st_uid == owner
    server.start()
    assert remembered(server) == [0o700, 0o700, 0o711]
    server.stop()


@AS_ROOT
def test_nothing_is_run_that_cannot_be_reached(private: Path) -> None:
    with pytest.raises(EmbeddedServiceFailed, match="set DATABASE_URL"):
        unprivileged_account(private / "no-such-program", private)


def test_an_interrupted_first_start_is_begun_anew(private: Path) -> None:
    for name in ("postgres", "postgres.new"):
        (private / name).mkdir()
        (private / name / "half").write_text("done")
    server = Postgres(private / "postgres", free_port(), options=SMALL)
    server.start()
    remember(server, 1)
    server.stop()
    assert not (private / "postgres.new").exists()


def test_a_server_that_cannot_start_shows_the_end_of_its_log(private: Path) -> None:
    server = Postgres(private / "postgres", free_port(), options=("shared_buffers=plenty",))
    with pytest.raises(EmbeddedServiceFailed, match="shared_buffers"):
        server.start()


def test_valkey_keeps_its_data_over_a_kill_and_lets_only_the_password_in(private: Path) -> None:
    server = Valkey(private / "valkey", free_port(), password="right", options=("--appendfsync", "always"))
    server.start()
    with redis.Redis.from_url(server.url()) as client:
        client.set("kept", "yes")
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    server.start()
    with redis.Redis.from_url(server.url()) as client:
        assert client.get("kept") == b"yes"
    with redis.Redis(port=server.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.get("kept")
    server.stop()
