"""The engine's connections: lost ones are replaced, and whoever takes one next finds nothing of the one before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import Engine, exc, text

from shared.store import SourceState
from tests.rows import add_tenant
from workers.database import alone, autocommit, plain_state
from workers.facts import Close
from workers.query import Query
from workers.source import Source

Db = psycopg.Connection[Any]
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
STATE = SourceState(lineage="7/1", state=1, as_of_ms=1000)
CLOSE = Close(
    day=NOON.date(), pending=1, pending_amount=Decimal("1.50"), overdue=0, overdue_amount=None, conversion=None,
    active_clients=1,
)  # fmt: skip
RENAME = "UPDATE dashboard.tenant SET name = 'renamed'"


def end_all(db: Db) -> None:
    """The server ends every session of the engine's."""
    db.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@pytest.mark.parametrize("ask", [
    lambda source: source.load(["t1"], now=NOON),
    lambda source: source.keep_closes({"t1": CLOSE}, STATE),
    lambda source: source.pending(["t1"]),
    lambda source: source.tenant_ids(),
])  # fmt: skip
def test_a_connection_that_was_lost_while_it_rested_is_replaced_unnoticed(
    db: Db, engine: Engine, ask: Callable[[Source], object]
) -> None:
    add_tenant(db)
    source = Source(engine)
    for _ in range(3):
        ask(source)
        end_all(db)
    ask(source)


def test_a_transaction_is_one_whoever_had_the_connection_before(db: Db, engine: Engine) -> None:
    add_tenant(db, name="before")
    with autocommit(engine) as connection:
        connection.execute("SELECT 1")
        session = connection.info.backend_pid
    with engine.connect() as transaction:
        assert transaction.execute(text("SELECT pg_backend_pid()")).scalar_one() == session
        transaction.execute(text(RENAME))
        transaction.rollback()
    assert db.execute("SELECT name FROM dashboard.tenant").fetchone() == ("before",)


def test_what_goes_wrong_in_a_state_leaves_nothing_open(db: Db, engine: Engine) -> None:
    add_tenant(db, name="before")
    sessions = []

    def rename() -> None:
        with plain_state(engine) as connection:
            sessions.append(connection.info.backend_pid)
            connection.execute(RENAME)

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        rename()
    with autocommit(engine) as connection, alone(connection):
        assert [connection.info.backend_pid] == sessions
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        connection.execute(RENAME)
    assert db.execute("SELECT name FROM dashboard.tenant").fetchone() == ("renamed",)


def test_a_query_takes_whatever_a_list_may_hold(engine: Engine) -> None:
    words = ["", "a,b", "{}", 'she said "no"', "C:\\new", "NULL", None, "日本", " x "]
    query = Query("""
        SELECT CAST(:words AS text[]) AS words, CAST(:days AS date[]) AS days, :flags::boolean[] AS flags,
               CAST(:words AS text[]) = CAST(:words AS text[]) AS same
    """)
    given = {"words": words, "days": [NOON.date(), None], "flags": [True, False, None]}
    with autocommit(engine) as connection:
        found = query.run(connection, given, dict_row).fetchone()
        empty = Query("SELECT CAST(:words AS text[])").run(connection, {"words": []}).fetchone()
    assert found == {**given, "same": True}
    assert empty == ([],)


def test_a_statement_is_prepared_once_whatever_its_lists_hold(db: Db, engine: Engine) -> None:
    add_tenant(db)
    source = Source(engine)
    sizes: Any = (([], {}), ([1], {"t1": CLOSE}), ([2**40, 3], {}))
    for settled, closes in sizes * 2:
        source.keep_closes(closes, STATE, settled)
    with autocommit(engine) as connection:
        names = connection.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE '%daily_close%'")
        assert len(names.fetchall()) == 1


def test_an_error_tells_the_statement_that_it_is_about(engine: Engine) -> None:
    with autocommit(engine) as connection, pytest.raises(exc.ProgrammingError) as raised:
        Query("SELECT :one::int, nothing FROM dashboard.tenant AS t").run(connection, {"one": 1})
    assert isinstance(raised.value.orig, psycopg.errors.UndefinedColumn)
    assert raised.value.statement == "SELECT $1::int, nothing FROM dashboard.tenant AS t"
