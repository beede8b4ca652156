"""A web process and a worker over one database of their own; nothing listens to changes, so they stay pending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg

from shared.keys import Keys
from tests.conftest import TEMPLATE, Services
from tests.servers import WebServer, Worker

Started = tuple[WebServer, Worker, psycopg.Connection[Any]]


@contextmanager
def web_and_worker(services: Services, *, env: Mapping[str, str] | None = None) -> Iterator[Started]:
    """Both, and a connection to the database; `env` is the web process's."""
    name, keys = f"test_{uuid4().hex}", Keys(f"w{uuid4().hex[:12]}")
    url = services.database_url(name)
    with psycopg.connect(services.postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        with (
            WebServer(services.redis_url, keys, env=env or {}) as web,
            Worker(services.redis_url, url, keys) as worker,
            psycopg.connect(url, autocommit=True) as db,
        ):
            yield web, worker, db
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
