"""Statements are planned once per connection, unless a pooler lends the server's connections out."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from shared.errors import SourceUnavailable
from shared.store import SourceState
from tests.rows import add_tenant
from tests.statements import watched
from workers.database import make_engine
from workers.facts import Close
from workers.source import Source

Db = psycopg.Connection[Any]
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
CLOSE = Close(
    day=NOON.date(), pending=0, pending_amount=None, overdue=0, overdue_amount=None, conversion=None, active_clients=0
)


def kept_plans(engine: Engine) -> list[tuple[int, int]]:
    """Of each prepared statement of the engine's connection, how often it ran with a kept plan and with one of its own."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT generic_plans, custom_plans FROM pg_prepared_statements")).all()
        connection.commit()
    return [(generic, custom) for generic, custom in rows]


@pytest.fixture
def pooled_url(database_url: str) -> Iterator[str]:
    """The database through something that gives its clients process ids of its own, as poolers do."""
    url = make_url(database_url)
    listener = socket.create_server(("127.0.0.1", 0))
    opened: list[socket.socket] = [listener]

    def forward(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                # BackendKeyData: K, the length 12, then process id and secret key. It follows the login.
                at = data.find(b"K\x00\x00\x00\x0c")
                target.sendall(data if at < 0 else data[: at + 5] + os.urandom(4) + data[at + 9 :])

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((url.host or "", url.port or 0))
                opened.extend([client, server])
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=forward, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield url.set(port=listener.getsockname()[1]).render_as_string(hide_password=False)
    for end in opened:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def test_statements_are_planned_once_for_whoever_is_asked_for(db: Db, engine: Engine) -> None:
    for tenant_id in ("a", "b", "c"):
        add_tenant(db, tenant_id)
    source = Source(engine)
    for tenant_ids in (["a"], ["b"], ["c"], ["a", "b", "c"]):
        assert list(source.load(tenant_ids, now=NOON).facts) == tenant_ids
        source.ping()  # whatever else the connection is used for
        source.ahead_ms()
        source.tenant_ids()
    # Prepared when they come for the second time, and planned then.
    loads = [plans for plans in kept_plans(engine) if plans == (3, 0)]
    assert len(loads) >= 2


def test_nothing_is_prepared_through_a_pooler(db: Db, pooled_url: str) -> None:
    add_tenant(db, "a")
    engine = make_engine(pooled_url)
    try:
        source = Source(engine)
        for _ in range(3):
            assert list(source.load(["a"], now=NOON).facts) == ["a"]
        assert kept_plans(engine) == []
    finally:
        engine.dispose()


def test_through_a_pooler_each_transaction_sets_what_holds(db: Db, pooled_url: str) -> None:
    add_tenant(db, "a")
    engine = make_engine(pooled_url)
    set_by: dict[str, set[str]] = {}

    def ask(cursor: psycopg.Cursor[Any], statement: str, _: Any) -> None:
        asked = cursor.connection.execute("SELECT source FROM pg_settings WHERE name = 'row_security'")
        kind = "keeping" if "INSERT INTO dashboard.daily_close" in statement else "reading"
        set_by.setdefault(kind, set()).update(*asked.fetchall())

    try:
        source = Source(engine)
        source.tenant_ids()
        with watched(ask):
            source.load(["a"], now=NOON)
            source.keep_closes({"a": CLOSE}, SourceState(lineage="1/1", state=1, as_of_ms=0))
        # Not by what the connection began with, which the server's next connection would not have.
        assert set_by == {"reading": {"session"}, "keeping": {"session"}}
        with psycopg.connect(db.info.dsn) as other:
            assert other.execute("SELECT count(*) FROM dashboard.daily_close").fetchone() == (1,)
    finally:
        engine.dispose()


def test_a_table_that_becomes_another_one_is_read_with_the_next_try(db: Db, engine: Engine) -> None:
    add_tenant(db, "a", name="Before")
    source = Source(engine)
    for _ in range(3):
        source.load(["a"], now=NOON)
    db.execute("ALTER TABLE dashboard.tenant RENAME TO company")
    db.execute(
        "CREATE VIEW dashboard.tenant AS SELECT tenant_id, 'After'::varchar(20) AS name, timezone, base_currency, basis,"
        " fiscal_year_start_month FROM dashboard.company"
    )
    with contextlib.suppress(SourceUnavailable):
        source.load(["a"], now=NOON)
    assert source.load(["a"], now=NOON).facts["a"].tenant.name == "After"
