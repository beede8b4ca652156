"""The engine: how a process of the workers' side reaches PostgreSQL. Made after the fork, one per process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url

STATEMENT_TIMEOUT_MS = 15_000
# Whatever the database's default is: as SERIALIZABLE ones our transactions would make the host's fail.
ISOLATION = r"-c default_transaction_isolation=read\ committed"
CONNECT_TIMEOUT_S = 5
# Plans are kept with their connection: one made while a table was small is used no longer than this.
CONNECTION_LIFE_S = 300


def database_url(url: str) -> URL:
    """The address with psycopg as its driver, whatever spelling of postgresql:// the operator used."""
    return make_url(url).set(drivername="postgresql+psycopg")


def dsn(url: str) -> str:
    """The address as psycopg itself takes it, for the listener's one connection."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def make_engine(url: str, *, pool_size: int = 2) -> Engine:
    """An engine whose connections are checked before use and never wait for the server without limit.

    Planning the statements of a load takes several times as long as carrying them out for one tenant, and their plans do
    not depend on whose rows are asked for: so each connection plans a statement once, for whatever parameters. Groups are
    made by hashing: sorting looks as cheap to a planner that cannot know how many rows a tenant has, and costs a busy one
    a quarter more.
    """
    engine = create_engine(
        database_url(url),
        pool_size=pool_size,
        max_overflow=2,
        pool_pre_ping=True,
        pool_recycle=CONNECTION_LIFE_S,
        pool_timeout=CONNECT_TIMEOUT_S,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "prepare_threshold": None,
            "application_name": "daybook",
            "options": f"{ISOLATION} -c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC -c jit=off"
            " -c plan_cache_mode=force_generic_plan -c enable_sort=off",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": 15_000,
        },
    )
    event.listen(engine, "connect", _keep_plans)
    return engine


def _keep_plans(connection: psycopg.Connection, _: object) -> None:
    """Let psycopg prepare statements, unless a pooler stands between us and the server.

    PgBouncer before 1.21 cannot follow prepared statements across the servers that it lends. A pooler is known by the
    process id that it gives its clients, which is not the server's.
    """
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.commit()
    if row and row[0] == connection.info.backend_pid:
        connection.prepare_threshold = 1


@contextmanager
def one_state(engine: Engine) -> Iterator[Connection]:
    """One state of the database, as a REPEATABLE READ transaction that only reads.

    It ends with a COMMIT, as every reading should: at a rollback psycopg forgets what it prepared.
    """
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection
