"""The workers' connections: which are asked whether they live, and what becomes of those that do not."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import Engine, exc, text

from workers import database
from workers.database import one_statement

Db = psycopg.Connection

_PID = text("SELECT pg_backend_pid()")


def backend(engine: Engine) -> int:
    with engine.begin() as connection:
        return int(connection.execute(_PID).scalar_one())


def end(db: Db, pid: int) -> None:
    db.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_a_connection_that_died_while_it_rested_is_replaced(
    engine: Engine, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "RESTED_S", 0.0)
    before = backend(engine)
    end(db, before)
    assert backend(engine) != before


def test_one_that_died_right_after_its_use_fails_once_and_is_replaced(
    engine: Engine, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "RESTED_S", 3600.0)
    before = backend(engine)
    end(db, before)
    with pytest.raises(exc.OperationalError):
        backend(engine)
    assert backend(engine) != before


def test_a_single_statement_is_committed_and_leaves_ordinary_transactions_as_they_were(engine: Engine, db: Db) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE public.kept (number integer)"))
    with one_statement(engine) as connection:
        connection.execute(text("INSERT INTO public.kept VALUES (1)"))
    assert db.execute("SELECT number FROM public.kept").fetchall() == [(1,)]
    with pytest.raises(ZeroDivisionError), engine.begin() as connection:
        connection.execute(text("INSERT INTO public.kept VALUES (2)"))
        raise ZeroDivisionError
    assert db.execute("SELECT number FROM public.kept").fetchall() == [(1,)]
