"""The engine: how a process of the workers' side reaches PostgreSQL. Made after the fork, one per process."""

from __future__ import annotations

import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from workers.session import SETTINGS, connect, options, set_for_transaction, through_pooler

CONNECT_TIMEOUT_S = 5
# Plans are kept with their connection: one made while a table was small is used no longer than this.
CONNECTION_LIFE_S = 300

# Planning the statements of a load takes several times as long as carrying them out for one tenant, and their plans do not
# depend on whose rows are asked for: so each connection plans a statement once, for whatever parameters. Groups are made by
# hashing: sorting looks as cheap to a planner that cannot know how many rows a tenant has, and costs a busy one a quarter
# more.
ENGINE_SETTINGS = {**SETTINGS, "jit": "off", "plan_cache_mode": "force_generic_plan", "enable_sort": "off"}

_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


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
    ping = engine.dialect.do_ping
    engine.dialect.do_ping = lambda dbapi_connection: _is_quiet(dbapi_connection) or ping(dbapi_connection)  # type: ignore[method-assign]
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _look_for_pooler)
    event.listen(engine, "begin", _begin)
    return engine


def _connect(_: object, __: object, arguments: Sequence[str], parameters: Mapping[str, Any]) -> psycopg.Connection:
    return connect(*arguments, **parameters)


def _look_for_pooler(connection: psycopg.Connection, _: ConnectionPoolEntry) -> None:
    """Let psycopg prepare statements, unless a pooler lends us another server's connection each time."""
    if not through_pooler(connection):
        connection.prepare_threshold = 1
    connection.commit()


def _is_pooled(connection: psycopg.Connection) -> bool:
    return connection.prepare_threshold is None


def _is_quiet(connection: Any) -> bool:
    """Whether nothing has come over the connection while it rested, as it does when the other end goes: then there is no need
    to ask. What a pooler still has behind it this does not tell."""
    if connection.closed or _is_pooled(connection):
        return False
    arrived = select.poll()
    arrived.register(connection, select.POLLIN)
    return not arrived.poll(0)


def _begin(connection: Connection) -> None:
    """Let what follows be a transaction: `autocommit` leaves connections as they are, for it is nearly always the next."""
    driver = driver_of(connection.connection)
    if driver.autocommit:
        driver.autocommit = False
    if _is_pooled(driver):
        set_for_transaction(driver, ENGINE_SETTINGS)


def driver_of(connection: PoolProxiedConnection) -> psycopg.Connection:
    """psycopg's connection behind one of SQLAlchemy's."""
    driver = connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 (for the type checker: the engine's driver)
    return driver


@contextmanager
def autocommit(engine: Engine) -> Iterator[psycopg.Connection]:
    """A plain connection of the engine's, on which each statement is committed at once."""
    with closing(engine.raw_connection()) as pooled:
        driver = driver_of(pooled)
        if not driver.autocommit:
            driver.autocommit = True
        try:
            yield driver
        finally:
            if driver.closed:
                pooled.invalidate()


@contextmanager
def alone(connection: psycopg.Connection) -> Iterator[None]:
    """Around one statement over a connection of `autocommit`: behind a pooler it takes a transaction to say what holds."""
    if not _is_pooled(connection):
        yield
        return
    with connection.transaction():
        set_for_transaction(connection, ENGINE_SETTINGS)
        yield


@contextmanager
def plain_state(engine: Engine) -> Iterator[psycopg.Connection]:
    """The same as `one_state`, on a plain connection."""
    with autocommit(engine) as connection:
        connection.execute(_BEGIN_READING)
        if _is_pooled(connection):
            set_for_transaction(connection, ENGINE_SETTINGS)
        yield connection
        connection.commit()


@contextmanager
def one_state(engine: Engine) -> Iterator[Connection]:
    """One state of the database, as a REPEATABLE READ transaction that only reads.

    It ends with a COMMIT, as every reading should: at a rollback psycopg forgets what it prepared.
    """
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection
