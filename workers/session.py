"""What holds in every session of ours, whatever the role, the database or a pooler between us would have it otherwise.

Set as a connection is made, which costs nothing. PgBouncer refuses or drops what it does not know there; then it is set in
each transaction, because the next one may run on another server's connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

STATEMENT_TIMEOUT_MS = 15_000
# A process that is frozen between two statements keeps its tenants' locks no longer than a task may run.
IDLE_TIMEOUT_MS = 20_000

# What decides about results, and about whom we might harm.
SETTINGS: Mapping[str, str] = {
    # As SERIALIZABLE ones our transactions would make the host's fail.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
    "idle_in_transaction_session_timeout": str(IDLE_TIMEOUT_MS),
    # Rows that a policy would keep from us are an error, never a smaller number.
    "row_security": "off",
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
}
# PgBouncer's words, in every version.
_REFUSES_OPTIONS = "unsupported startup parameter"


def options(settings: Mapping[str, str] = SETTINGS) -> str:
    """The settings as libpq's parameter of that name."""
    escaped = ((name, value.replace(" ", r"\ ")) for name, value in settings.items())
    return " ".join(f"-c {name}={value}" for name, value in escaped)


def connect(address: str = "", **parameters: Any) -> psycopg.Connection:
    """A connection of psycopg's, without the options where a pooler refuses them. Raises psycopg.OperationalError."""
    try:
        return psycopg.connect(address, client_encoding="UTF8", **parameters)
    except psycopg.OperationalError as error:
        if _REFUSES_OPTIONS not in str(error):
            raise
    return psycopg.connect(address, client_encoding="UTF8", **{**parameters, "options": ""})


def through_pooler(connection: psycopg.Connection) -> bool:
    """Whether a pooler stands between us and the server: the process id that it gives its clients is not the server's."""
    row = connection.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    return row is not None and row[0] != connection.info.backend_pid


def set_for_transaction(connection: psycopg.Connection, settings: Mapping[str, str] = SETTINGS) -> None:
    """Let the settings hold until the end of the transaction, which begins with this if none is open."""
    calls = ", ".join(f"pg_catalog.set_config('{name}', '{value}', true)" for name, value in settings.items())
    connection.execute(f"SELECT {calls}".encode())
