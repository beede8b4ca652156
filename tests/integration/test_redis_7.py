"""The whole way over Debian's Redis 7 instead of Valkey: scripts, sorted sets, queues, notices."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis
import requests

from cli.local.embedded import Valkey, free_port
from shared.keys import Keys
from tests.days import today
from tests.live import Socket
from tests.rows import add_tenant
from tests.servers import WebServer, Worker, eventually
from tests.tokens import bearer

RECALCULATE = "/api/dashboard/realtime/recalculate/"


@dataclass
class DebianRedis(Valkey):
    """A server of Debian's."""

    @property
    def binary(self) -> Path:
        return Path(shutil.which("redis-server", path="/usr/bin") or "")


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    server = DebianRedis(data_dir=tmp_path / "redis", port=free_port())
    if server.binary == Path():
        pytest.skip("redis-server is not installed (bin/test installs it as root on Debian)")
    server.start()
    yield server.url()
    server.stop()


def test_from_a_row_to_a_socket(redis_url: str, database_url: str, db: psycopg.Connection, keys: Keys) -> None:
    rows = add_tenant(db, "t")
    rows.invoice(today(), 100)
    with (
        redis.Redis.from_url(redis_url) as client,
        WebServer(redis_url, keys, env={"DASHBOARD_RATE_RECALCULATIONS": "100/minute"}) as web,
        Worker(redis_url, database_url, keys),
    ):
        assert str(client.info()["redis_version"]).startswith("7.")
        first = eventually(
            lambda: requests.post(web.url + RECALCULATE, headers=bearer("t"), timeout=15),
            lambda answer: answer.status_code == 200,
        )
        assert first.headers["RateLimit-Limit"] == "100"
        with Socket(web.port, "t") as socket:
            update = socket.receive_type("dashboard.update")
            assert update["data"]["metrics"][0]["value"] == 100
            rows.invoice(today(), 50)
            requests.post(web.url + RECALCULATE, headers=bearer("t"), timeout=15)
            socket.receive_type("dashboard.update", where=lambda told: told["data"]["metrics"][0]["value"] == 150)
        assert client.zscore(keys.looked, "t") is not None
