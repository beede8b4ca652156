"""The engine: how a process of the workers' side reaches PostgreSQL. Made after the fork, one per process."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL, make_url

STATEMENT_TIMEOUT_MS = 15_000
CONNECT_TIMEOUT_S = 5


def database_url(url: str) -> URL:
    """The address with psycopg as its driver, whatever spelling of postgresql:// the operator used."""
    return make_url(url).set(drivername="postgresql+psycopg")


def dsn(url: str) -> str:
    """The address as psycopg itself takes it, for the one connection that LISTENs."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def make_engine(url: str, *, pool_size: int = 2) -> Engine:
    """An engine whose connections are checked before use and never wait for the server without limit."""
    return create_engine(
        database_url(url),
        pool_size=pool_size,
        max_overflow=2,
        pool_pre_ping=True,
        pool_timeout=CONNECT_TIMEOUT_S,
        # PgBouncer before 1.21 cannot follow server-side prepared statements across pooled connections.
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "prepare_threshold": None,
            "application_name": "daybook",
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC -c jit=off",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "tcp_user_timeout": 15_000,
        },
    )
