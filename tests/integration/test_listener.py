"""The listener finds what is committed, however long ago it was noted, without being woken by anyone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
import redis

from shared.keys import Keys
from tests.conftest import Services
from tests.rows import add_tenant
from tests.servers import PROJECT, eventually
from workers.database import make_engine

# What most of ten take, so that a busy machine may be slow now and then. Looked for four times a second it would be 0.17.
SOON_S = 0.1


@pytest.fixture
def listener(
    services: Services, database_url: str, keys: Keys, valkey: redis.Redis
) -> Iterator[subprocess.Popen[bytes]]:
    """A running listener on the test's own database; it queues to nobody."""
    environment = {"REDIS_URL": services.redis_url, "DATABASE_URL": database_url, "DASHBOARD_KEY_PREFIX": keys.prefix}
    process = subprocess.Popen(
        [sys.executable, "-m", "workers.listener"],
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    eventually(lambda: valkey.get(keys.listener))
    yield process
    process.terminate()
    assert process.wait(10) == 0


@pytest.fixture
def queued(keys: Keys, valkey: redis.Redis) -> Callable[[], set[str]]:
    """The tenants that were ever queued."""

    def read() -> set[str]:
        held = valkey.scan_iter(f"{keys.prefix}*throttle*")
        return {key.decode().rpartition(":")[2] for key in held}

    return read


def test_commits_are_found_soon_and_late_ones_too(
    listener: subprocess.Popen[bytes], database_url: str, queued: Callable[[], set[str]]
) -> None:
    took_s = []
    with psycopg.connect(database_url) as late, psycopg.connect(database_url) as writer:
        add_tenant(late, "late")
        for number in range(10):
            add_tenant(writer, f"t{number}")
            writer.commit()
            committed = time.monotonic()
            eventually(lambda number=number: f"t{number}" in queued())  # type: ignore[misc]
            took_s.append(time.monotonic() - committed)
        assert "late" not in queued()
        late.commit()
        committed = time.monotonic()
        eventually(lambda: "late" in queued())
        assert time.monotonic() - committed < 5
    assert sorted(took_s)[6] < SOON_S


def test_its_own_transactions_are_never_serializable(db: psycopg.Connection, database_url: str) -> None:
    """Or they would be among those that writers of the host are aborted for."""
    db.execute(f"ALTER DATABASE {db.info.dbname} SET default_transaction_isolation = serializable")
    engine = make_engine(database_url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar_one() == "read committed"
    engine.dispose()
