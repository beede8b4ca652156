"""How a mapping is asked: in one transaction that only reads, in which a question that fails spoils no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

READING_S = 4.0
"""The longest that one reading may take; a snapshot, which reads far less, has 15 s."""

# For this transaction only: a pooler may hand its connection on to somebody else.
_SETTINGS = """
    SET LOCAL transaction_read_only = on;
    SET LOCAL row_security = off;
    SET LOCAL work_mem = '64MB';
    SET LOCAL enable_sort = on;
    SET LOCAL plan_cache_mode = auto;
    SET LOCAL extra_float_digits = 1;
    SET LOCAL datestyle = ISO;
    SET LOCAL timezone = UTC;
"""


@contextmanager
def reading(connection: psycopg.Connection, *, longest_s: float) -> Iterator[None]:
    """What is asked within only reads, and no question longer than that. Each sees the rows as they are by then."""
    with connection.transaction():
        connection.execute(f"{_SETTINGS} SET LOCAL statement_timeout = {longest_s * 1000:.0f}".encode())
        yield


def ask(connection: psycopg.Connection, sql: str, parameters: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
    """The rows; raises psycopg.Error, after which the next question can be asked."""
    with connection.transaction():
        return connection.execute(sql.encode(), parameters).fetchall()
