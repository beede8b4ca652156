"""What a database says about itself: whose tables have which columns, and who owns the schema dashboard and works with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from shared.errors import DaybookError

Columns = Mapping[str, frozenset[str]]
"""The columns of a schema's tables, by table."""

_COLUMNS = """
    SELECT nspname::text, relname::text, array_agg(attname::text)
    FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    WHERE relkind IN ('r', 'p', 'f') AND nspname NOT IN ('dashboard', 'information_schema') AND nspname !~ '^pg_'
    GROUP BY 1, 2
"""
_WORKERS = """
    SELECT DISTINCT rolname::text
    FROM pg_class CROSS JOIN LATERAL aclexplode(relacl) AS granted JOIN pg_roles ON pg_roles.oid = grantee
    WHERE pg_class.oid = to_regclass('dashboard.change') AND privilege_type = 'INSERT' AND grantee <> relowner
    ORDER BY 1
"""


class NoSchema(DaybookError):
    """The database has no schema dashboard, or one that is older than this Daybook. Run bin/dash migrate first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """schemas: the columns of each schema's tables. owner: of the schema dashboard. workers: who read it for snapshots."""

    schemas: Mapping[str, Columns]
    owner: str
    workers: tuple[str, ...]


def read_catalogue(connection: psycopg.Connection[Any]) -> Catalogue:
    """What this database has. Raises NoSchema."""
    schemas: defaultdict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for schema, table, columns in connection.execute(_COLUMNS).fetchall():
        schemas[schema][table] = frozenset(columns)
    found = connection.execute(
        "SELECT nspowner::regrole::text, to_regproc('dashboard.contract_tables') IS NOT NULL"
        " AND EXISTS (SELECT FROM pg_proc WHERE pronamespace = pg_namespace.oid AND proname = 'from_minor')"
        " FROM pg_namespace WHERE nspname = 'dashboard'"
    ).fetchone()
    if found is None or not found[1]:
        raise NoSchema("there is no schema dashboard of this version in the database; run bin/dash migrate first")
    workers = tuple(name for (name,) in connection.execute(_WORKERS).fetchall())
    return Catalogue(schemas=dict(schemas), owner=found[0], workers=workers)
