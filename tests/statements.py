"""What the workers' engine asks PostgreSQL, as psycopg carries it out: through SQLAlchemy or past it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import psycopg

Before = Callable[[psycopg.Cursor[Any], str, Any], object]


@contextmanager
def watched(before: Before) -> Iterator[None]:
    """Meanwhile `before` is called with the cursor, the text and the parameters of each statement that names a relation of
    ours, as it is about to be carried out."""
    execute = psycopg.Cursor.execute

    def watching(cursor: psycopg.Cursor[Any], query: Any, parameters: Any = None, **options: Any) -> Any:
        statement = query.decode() if isinstance(query, bytes) else str(query)
        if cursor.connection.info.parameter_status("application_name") == "daybook" and "dashboard." in statement:
            before(cursor, statement, parameters)
        return execute(cursor, query, parameters, **options)

    with mock.patch.object(psycopg.Cursor, "execute", watching):
        yield


def explained(cursor: psycopg.Cursor[Any], how: str, statement: str, parameters: Any) -> dict[str, Any]:
    """How PostgreSQL carries out a statement that was watched, on a cursor of the same kind."""
    row = cursor.execute(f"EXPLAIN ({how}, FORMAT JSON) {statement}".encode(), parameters).fetchone()
    assert row
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan
