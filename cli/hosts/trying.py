"""Which indexes PostgreSQL makes of the host's columns: tried on empty temporary tables, which are gone at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from cli.hosts.host import quoted
from cli.hosts.script import HostMapping

# Functions that are not immutable (an enum as text, a moment's day, an amount of type money), columns that are worked out
# when they are read, conditions that look into other tables.
_NOT_POSSIBLE = (psycopg.errors.InvalidObjectDefinition, psycopg.errors.FeatureNotSupported)
_TABLE = "daybook_trial"
_COLUMNS = """
    SELECT attname::text, format_type(atttypid, atttypmod), attgenerated = 'v'
    FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""


def with_possible_indexes(connection: psycopg.Connection[Any], mapping: HostMapping) -> HostMapping:
    """The mapping with something simpler for each index that cannot be made: without its condition, else by tenant only."""
    without: dict[tuple[str, str], str] = {}
    indexes: dict[str, tuple[str, ...]] = {}
    for table, definitions in mapping.host.indexes.items():
        place = f"{quoted(mapping.schema)}.{quoted(table)}"
        ready = [one for text in definitions if (one := mapping.host.sql(text, mapping.schema, mapping.columns))]
        wrong = _impossible(connection, place, ready)
        without |= {(table, definition): reason for definition, reason in wrong.items()}
        simpler = [other for definition in wrong for other in _simpler(definition)]
        wrong_too = _impossible(connection, place, simpler)
        instead = [one for one in simpler if one not in wrong_too]
        indexes[table] = tuple(dict.fromkeys([*definitions, *instead]))
    return replace(mapping, host=replace(mapping.host, indexes=indexes), without=without)


def _impossible(connection: psycopg.Connection[Any], table: str, definitions: list[str]) -> Mapping[str, str]:
    """The definitions that PostgreSQL refuses, with its reason; none where this role may not try."""
    refused: dict[str, str] = {}
    if not definitions:
        return refused
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(_copy(connection, table))
            for definition in definitions:
                try:
                    with connection.transaction():
                        connection.execute(f"CREATE INDEX ON pg_temp.{_TABLE} {definition}".encode())
                except _NOT_POSSIBLE as error:
                    refused[definition] = str(error).partition("\n")[0]
    except psycopg.Error:
        return {}
    return refused


def _copy(connection: psycopg.Connection[Any], table: str) -> sql.Composed:
    columns = [
        sql.SQL("{} {}{}").format(
            sql.Identifier(name),
            sql.SQL(kind),
            sql.SQL(" GENERATED ALWAYS AS (CAST(NULL AS {})) VIRTUAL").format(sql.SQL(kind))
            if worked_out
            else sql.SQL(""),
        )
        for name, kind, worked_out in connection.execute(_COLUMNS, [table]).fetchall()
    ]
    return sql.SQL("CREATE TEMP TABLE {} ({})").format(sql.Identifier(_TABLE), sql.SQL(", ").join(columns))


def _simpler(definition: str) -> Iterator[str]:
    """The index without its condition, and that of its first column."""
    end = _closing(definition)
    whole = definition[: end + 1]
    if whole != definition:
        yield whole
    first = definition[1 : 2 + _closing(definition[1:])]
    yield f"({first})"


def _closing(text: str) -> int:
    """Where the bracket that the text begins with is closed."""
    depth = 0
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return position
    return len(text)
