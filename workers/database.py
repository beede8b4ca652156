"""The engine: how a process of the workers' side reaches PostgreSQL. Made after the fork, one per process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from workers.session import SETTINGS, connect, options, set_for_transaction, through_pooler

CONNECT_TIMEOUT_S = 5
# Plans are kept with their connection: one made while a table was small is used no longer than this.
CONNECTION_LIFE_S = 300

# Planning the statements of a load takes several times as long as carrying them out for one tenant, and their plans do not
# depend on whose rows are asked for: so each connection plans a statement once, for whatever parameters. Groups are made by
# hashing: sorting looks as cheap to a planner that cannot know how many rows a tenant has, and costs a busy one a quarter
# more. Nor are places of rows gathered in bitmaps first, to read pages in their order, which pays where rows are very many:
# see read_much.
ENGINE_SETTINGS = {
    **SETTINGS,
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_sort": "off",
    "enable_bitmapscan": "off",
}

_POOLED = "through a pooler"
_READ_MUCH = text("SET LOCAL enable_bitmapscan = on")


def database_url(url: str) -> URL:
    """The address with psycopg as its driver, whatever spelling of postgresql:// the operator used."""
    return make_url(url).set(drivername="postgresql+psycopg")


def dsn(url: str) -> str:
    """The address as psycopg itself takes it, for the listener's connections."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def make_engine(url: str, *, pool_size: int = 2) -> Engine:
    """An engine whose connections are checked before use and never wait for the server without limit."""
    engine = create_engine(
        database_url(url),
        pool_size=pool_size,
        max_overflow=2,
        pool_pre_ping=True,
        pool_recycle=CONNECTION_LIFE_S,
        pool_timeout=CONNECT_TIMEOUT_S,
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "prepare_threshold": None,
            "application_name": "daybook",
            "options": options(ENGINE_SETTINGS),
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": 15_000,
        },
    )
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _look_for_pooler)
    event.listen(engine, "begin", _set_behind_pooler)
    return engine


def _connect(_: object, __: object, arguments: Sequence[str], parameters: Mapping[str, Any]) -> psycopg.Connection:
    return connect(*arguments, **parameters)


def _look_for_pooler(connection: psycopg.Connection, record: ConnectionPoolEntry) -> None:
    """Let psycopg prepare statements, unless a pooler lends us another server's connection each time."""
    pooled = through_pooler(connection)
    connection.commit()
    record.info[_POOLED] = pooled
    if not pooled:
        connection.prepare_threshold = 1


def _set_behind_pooler(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    if connection.info.get(_POOLED) and isinstance(driver, psycopg.Connection) and not driver.autocommit:
        set_for_transaction(driver, ENGINE_SETTINGS)


def read_much(connection: Connection) -> None:
    """Until the transaction ends a tenant's whole history may be read: statements are planned for that."""
    connection.execute(_READ_MUCH)


@contextmanager
def autocommit(engine: Engine) -> Iterator[psycopg.Connection]:
    """A plain connection of the engine's, on which each statement is committed at once."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 (for the type checker: the engine's driver)
        yield driver


@contextmanager
def one_state(engine: Engine) -> Iterator[Connection]:
    """One state of the database, as a REPEATABLE READ transaction that only reads.

    It ends with a COMMIT, as every reading should: at a rollback psycopg forgets what it prepared.
    """
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection
