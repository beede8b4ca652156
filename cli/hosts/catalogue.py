"""What a database says about itself: whose tables have which columns, and who owns the schema dashboard and works with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from shared.errors import DaybookError

Columns = Mapping[str, Mapping[str, str]]
"""The columns of a schema's tables, by table, each with its type."""

_COLUMNS = """
    SELECT nspname::text, relname::text, json_object_agg(attname, format_type(atttypid, atttypmod))
    FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    WHERE relkind IN ('r', 'p', 'f') AND nspname NOT IN ('dashboard', 'information_schema') AND nspname !~ '^pg_'
    GROUP BY 1, 2
"""
# Partitions and tables that inherit, down to the last: what is granted or indexed of a table is not so of these.
_PARTS = """
    WITH RECURSIVE below AS (
        SELECT inhparent AS ancestor, inhrelid AS part FROM pg_inherits JOIN pg_class ON pg_class.oid = inhparent
        WHERE relkind IN ('r', 'p')
        UNION
        SELECT ancestor, inhrelid FROM below JOIN pg_inherits ON inhparent = part
    )
    SELECT above.nspname::text, whole.relname::text, whole.relkind = 'p', inside.nspname::text, part.relname::text,
           part.relkind = 'r'
    FROM pg_class AS whole
    JOIN pg_namespace AS above ON above.oid = whole.relnamespace
    LEFT JOIN below ON ancestor = whole.oid
    LEFT JOIN pg_class AS part ON part.oid = below.part
    LEFT JOIN pg_namespace AS inside ON inside.oid = part.relnamespace
    WHERE whole.relkind = 'p' OR part.oid IS NOT NULL
    ORDER BY 1, 2, 4, 5
"""
_WORKERS = """
    SELECT DISTINCT rolname::text
    FROM pg_class CROSS JOIN LATERAL aclexplode(relacl) AS granted JOIN pg_roles ON pg_roles.oid = grantee
    WHERE pg_class.oid = to_regclass('dashboard.change') AND privilege_type = 'INSERT' AND grantee <> relowner
    ORDER BY 1
"""


class NoSchema(DaybookError):
    """The database has no schema dashboard, or one that is older than this Daybook. Run bin/dash migrate first."""


Table = tuple[str, str]
"""A table by its schema and its name."""


@dataclass(slots=True)
class Parts:
    """What a table consists of: `below` it, at any depth, and of these the `leaves` that may hold rows of their own."""

    is_partitioned: bool = False
    below: list[Table] = field(default_factory=list)
    leaves: list[Table] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """schemas: the columns of each schema's tables. parts: of tables that have any. owner: of the schema dashboard. workers:
    who read it for snapshots."""

    schemas: Mapping[str, Columns]
    parts: Mapping[Table, Parts]
    owner: str
    workers: tuple[str, ...]


def read_catalogue(connection: psycopg.Connection[Any]) -> Catalogue:
    """What this database has. Raises NoSchema."""
    schemas: defaultdict[str, dict[str, Mapping[str, str]]] = defaultdict(dict)
    for schema, table, columns in connection.execute(_COLUMNS).fetchall():
        schemas[schema][table] = columns
    found = connection.execute(
        "SELECT nspowner::regrole::text, to_regproc('dashboard.contract_tables') IS NOT NULL"
        " AND EXISTS (SELECT FROM pg_proc WHERE pronamespace = pg_namespace.oid AND proname = 'from_minor')"
        " FROM pg_namespace WHERE nspname = 'dashboard'"
    ).fetchone()
    if found is None or not found[1]:
        raise NoSchema("there is no schema dashboard of this version in the database; run bin/dash migrate first")
    workers = tuple(name for (name,) in connection.execute(_WORKERS).fetchall())
    return Catalogue(schemas=dict(schemas), parts=_parts(connection), owner=found[0], workers=workers)


def _parts(connection: psycopg.Connection[Any]) -> Mapping[Table, Parts]:
    found: defaultdict[Table, Parts] = defaultdict(Parts)
    for schema, table, is_partitioned, part_schema, part, is_leaf in connection.execute(_PARTS).fetchall():
        whole = found[schema, table]
        whole.is_partitioned = is_partitioned
        if part is not None:
            whole.below.append((part_schema, part))
            if is_leaf:
                whole.leaves.append((part_schema, part))
    return dict(found)
