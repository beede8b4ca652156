"""Writes rows of one table at once: COPY into a table of the transaction's own, then one statement over all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from workers.contract import TABLES
from workers.ingest.documents import Change

# An older row never takes the place of a newer one; a row that says the same is left alone.
_UPSERT = sql.SQL("""
    INSERT INTO {table} AS held ({columns}) SELECT {values} FROM pg_temp.ingested AS given
    ON CONFLICT ({key}) DO UPDATE SET ({columns}) = ROW ({excluded})
    WHERE {newer} ({held}) IS DISTINCT FROM ({excluded})
""")
_DELETE = sql.SQL("DELETE FROM {table} AS held USING pg_temp.ingested AS given WHERE {newer} ({held}) = ({given})")

# What a role may do to the table, and whether it is one.
_WRITABLE = """
    SELECT contract.name, relkind IN ('r', 'p') AS is_table, current_user::text AS role,
           pg_class.oid IS NOT NULL AND has_table_privilege(pg_class.oid, 'SELECT')
           AND has_table_privilege(pg_class.oid, 'INSERT')
           AND has_table_privilege(pg_class.oid, 'UPDATE') AND has_table_privilege(pg_class.oid, 'DELETE') AS allowed
    FROM unnest(%s::text[]) AS contract (name)
    LEFT JOIN pg_class ON pg_class.oid = to_regclass('dashboard.' || contract.name)
"""


def unwritable(connection: psycopg.Connection[Any]) -> Mapping[str, str]:
    """The tables of the contract that cannot be written here, with the reason."""
    rows = connection.execute(_WRITABLE, [list(TABLES)]).fetchall()
    return {name: reason for name, *found in rows if (reason := _reason(name, *found))}


def _reason(name: str, is_table: bool | None, role: str, allowed: bool) -> str | None:
    if is_table is None:
        return f"there is no dashboard.{name}; bin/dash migrate makes it"
    if not is_table:
        return f"dashboard.{name} is a view over tables of your own; write there"
    if not allowed:
        return (
            f"the role {role} may not write dashboard.{name}; let its owner "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON dashboard.{name} TO {role}, or use a role that may"
        )
    return None


def write(connection: psycopg.Connection[Any], table: str, changes: Sequence[Change], *, delete: bool) -> int:
    """Write or delete these rows, at most one for each key; how many of them were really changed."""
    contract = TABLES[table]
    names = [*contract.key, *(["updated_at"] if contract.dated else [])] if delete else list(contract.columns)
    relation = sql.Identifier("dashboard", table)
    columns = _joined("{}", names)
    connection.execute(
        sql.SQL("CREATE TEMP TABLE ingested ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(columns, relation)
    )
    _copy(connection, columns, [_row(change, dated=contract.dated) for change in changes])
    statement = _DELETE if delete else _UPSERT
    written = connection.execute(
        statement.format(
            table=relation,
            columns=columns,
            values=sql.SQL(", ").join(_given(name) for name in names),
            key=_joined("{}", contract.key),
            newer=sql.SQL("held.updated_at <= {} AND" if contract.dated else "").format(
                sql.SQL("coalesce(given.updated_at, now())" if delete else "excluded.updated_at")
            ),
            held=_joined("held.{}", contract.key if delete else names),
            given=_joined("given.{}", contract.key),
            excluded=_joined("excluded.{}", names),
        )
    ).rowcount
    connection.execute("DROP TABLE pg_temp.ingested")
    return written


def _row(change: Change, *, dated: bool) -> Sequence[Any]:
    return change.values if change.values is not None else [*change.key, *([change.updated_at] if dated else [])]


def _given(name: str) -> sql.Composable:
    # A document that does not say when it was changed is one of this moment.
    return sql.SQL("coalesce(given.updated_at, now())" if name == "updated_at" else "given.{}").format(
        sql.Identifier(name)
    )


def _joined(form: str, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL(form).format(sql.Identifier(name)) for name in names)


def _copy(connection: psycopg.Connection[Any], columns: sql.Composed, rows: Sequence[Sequence[Any]]) -> None:
    statement = sql.SQL("COPY pg_temp.ingested ({}) FROM STDIN").format(columns)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
