"""Statements that every computation asks, straight to the driver: through SQLAlchemy they cost three times as much."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import RowFactory, tuple_row
from sqlalchemy import exc

_PARAMETER = re.compile(r"(?<![:\w]):(\w+)")


class Query:
    """A statement with :named parameters, each of which it casts. To be made once: psycopg looks for parameters in a long
    one each time."""

    def __init__(self, sql: str) -> None:
        places: dict[str, int] = {}
        self._sql = _PARAMETER.sub(lambda name: f"${places.setdefault(name[1], len(places) + 1)}", sql)
        self._sent = self._sql.encode()
        self._names = tuple(places)

    def run(
        self, connection: psycopg.Connection[Any], given: Mapping[str, object], rows: RowFactory[Any] = tuple_row
    ) -> psycopg.Cursor[Any]:
        """Carry it out. Raises what SQLAlchemy would, with the statement."""
        cursor = psycopg.RawCursor(connection, row_factory=rows)
        try:
            return cursor.execute(self._sent, [_parameter(given[name]) for name in self._names])
        except psycopg.Error as error:
            raise exc.DBAPIError.instance(self._sql, given, error, psycopg.Error) from error


def _parameter(value: object) -> object:
    """A list as PostgreSQL writes arrays. psycopg would look at each element for a type, and prepare the statement once for
    each type that it finds: an empty list, a short and a long number are three."""
    return "{" + ",".join(map(_element, value)) + "}" if isinstance(value, list) else value


def _element(value: object) -> str:
    return "NULL" if value is None else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
