"""The services that tests share: one PostgreSQL and one Valkey per run, a database and a key prefix for every test."""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
import redis
from sqlalchemy import Engine

from cli.local.embedded import Postgres, Valkey, free_port
from shared.keys import Keys
from tests.days import wait_out_midnight
from tests.scheduling import Scheduling, place
from tests.servers import WebServer
from tests.statements import watched
from workers.database import make_engine
from workers.migrate import migrate

# Nothing that a test loses matters after a crash, so nothing waits for the disk.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200", "shared_buffers=64MB")
TEMPLATE = "daybook_template"
# A number that decides the order of the tests; every process of xdist must find the same.
ORDER_SEED = "DAYBOOK_TEST_SEED"
UNIT = Path(__file__).parent / "unit"


@dataclass(frozen=True)
class Services:
    """Addresses of the run's servers."""

    postgres_url: str
    redis_url: str

    def database_url(self, name: str) -> str:
        return self.postgres_url.rsplit("/", 1)[0] + "/" + name


# A shared machine is slow now and then, which is no finding. The same examples each run; "explore" draws new ones:
# HYPOTHESIS_PROFILE=explore bin/test tests/integration/test_batch_equals_recount.py
hypothesis.settings.register_profile("repeat", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("explore", deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers once, before xdist makes its workers; they find them through the environment."""
    os.environ.setdefault(ORDER_SEED, str(random.randrange(1, 1_000_000)))
    if "DAYBOOK_TEST_SERVICES" in os.environ:
        return
    stack = ExitStack()
    root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="daybook-tests-", ignore_cleanup_errors=True)))
    root.chmod(0o711)
    postgres = Postgres(data_dir=root / "postgres", port=free_port(), options=FAST)
    valkey = Valkey(data_dir=root / "valkey", port=free_port(), append_only=False, options=("--databases", "256"))
    for service in (postgres, valkey):
        service.start()
        stack.callback(service.stop)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    engine = make_engine(postgres.url(TEMPLATE))
    migrate(engine)
    engine.dispose()
    os.environ["DAYBOOK_TEST_SERVICES"] = json.dumps([postgres.url(), valkey.url()])
    config.add_cleanup(stack.close)
    config.add_cleanup(_forget_services)


def _forget_services() -> None:
    del os.environ["DAYBOOK_TEST_SERVICES"]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say how to repeat the order; in xdist's workers nobody would hear it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"{ORDER_SEED}={os.environ[ORDER_SEED]} repeats this order")


# First: pytest then brings those tests of a module together that want the same server of several, which it starts once.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """No test may need another one before it: modules in any order, but the longest first, and within each its tests in any
    order. The tests of a module stay together, because they share what it started."""
    choice = random.Random(os.environ[ORDER_SEED])
    modules = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    choice.shuffle(modules)
    modules.sort(key=lambda tests: place(tests[0].nodeid))
    for tests in modules:
        choice.shuffle(tests)
    items[:] = chain.from_iterable(modules)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Rows are written for today and looked at soon after: not when it is another day by then."""
    if UNIT not in item.path.parents:
        wait_out_midnight()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """See tests/scheduling.py."""
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def services() -> Services:
    """The run's servers."""
    return Services(*json.loads(os.environ["DAYBOOK_TEST_SERVICES"]))


@pytest.fixture
def database_url(services: Services) -> Iterator[str]:
    """A migrated, empty database of the test's own."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(services.postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        yield services.database_url(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on the test's own database."""
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def db(database_url: str) -> Iterator[psycopg.Connection]:
    """A plain connection, each statement committed at once: the host product's hand in the database."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every statement about our relations that an engine carries out from now on."""
    seen: list[str] = []
    with watched(lambda _, statement, __: seen.append(statement)):
        yield seen


@pytest.fixture
def keys() -> Keys:
    """A key prefix of the test's own."""
    return Keys(f"t{uuid.uuid4().hex[:12]}")


@pytest.fixture
def valkey(services: Services) -> Iterator[redis.Redis]:
    """A client of the run's Valkey; tests keep to their own key prefix."""
    with redis.Redis.from_url(services.redis_url) as client:
        yield client


@pytest.fixture(scope="session")
def web(services: Services) -> Iterator[WebServer]:
    """A running web process that tests share; each uses tenants of its own."""
    with WebServer(services.redis_url, Keys(f"w{uuid.uuid4().hex[:12]}")) as server:
        yield server


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server of the test's own, which it may kill or freeze; what was written is kept."""
    server = Valkey(data_dir=tmp_path / "valkey", port=free_port(), options=("--appendfsync", "always"))
    server.start()
    yield server
    assert server.process
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGCONT)
    server.stop()
