"""A server with real snapshots, shared by the tests that hold it to its documents."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
import requests

from demo.load import load_demo
from shared.keys import Keys
from tests.conftest import TEMPLATE, Services
from tests.servers import WebServer, Worker, eventually
from tests.tokens import bearer
from workers.database import make_engine

TENANT = "demo"
# Limits have tests of their own; here they would only hide the other answers.
UNLIMITED = {f"DASHBOARD_RATE_{name}": "1000000/minute" for name in ("REQUESTS", "STREAMS", "RECALCULATIONS")}


@pytest.fixture(scope="package")
def web_with_demo(services: Services) -> Iterator[WebServer]:
    """A web process and a worker over the demo's tenants, with a first snapshot."""
    name, keys = f"test_{uuid4().hex}", Keys(f"s{uuid4().hex[:12]}")
    url = services.database_url(name)
    with psycopg.connect(services.postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        engine = make_engine(url)
        load_demo(engine)
        engine.dispose()
        with WebServer(services.redis_url, keys, env=UNLIMITED) as web, Worker(services.redis_url, url, keys):
            eventually(lambda: _status(web, "/api/dashboard/overview/"), lambda status: status == 200, within_s=30)
            yield web
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _status(web: WebServer, path: str) -> int:
    return requests.get(web.url + path, headers=bearer(TENANT), timeout=10).status_code
