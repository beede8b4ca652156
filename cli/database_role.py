"""For `bin/dash doctor`: as whom Daybook reads the database, through what, and whether that role may do what it has to."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from workers.roles import CONTRACT

# Which tables are Daybook's own: all that are no table of the contract, of which workers only read.
_RIGHTS = """
    SELECT
        role.rolname,
        role.rolsuper,
        pg_has_role(space.nspowner, 'USAGE') AS owns,
        (SELECT array_agg(relname::text ORDER BY relname) FROM pg_class
         WHERE relnamespace = space.oid AND relkind IN ('r', 'v', 'm', 'p') AND NOT has_table_privilege(oid, 'SELECT'))
            AS unread,
        (SELECT array_agg(relname::text ORDER BY relname) FROM pg_class
         WHERE relnamespace = space.oid AND relkind IN ('r', 'p') AND relname <> ALL (%(contract)s)
             AND relname NOT IN ('schema_version')
             AND NOT (has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE')
                      AND has_table_privilege(oid, 'DELETE'))) AS unwritten,
        (SELECT array_agg(relname::text ORDER BY relname) FROM pg_class
         WHERE relnamespace = space.oid AND relname = ANY (%(contract)s)
             AND (has_table_privilege(oid, 'INSERT') OR has_table_privilege(oid, 'UPDATE')
                  OR has_table_privilege(oid, 'DELETE'))) AS written
    FROM pg_roles AS role, pg_namespace AS space
    WHERE role.rolname = current_user AND space.nspname = 'dashboard'
"""
_AS_REPLICA = """
    SELECT CASE WHEN setrole <> 0 THEN 'role ' || setrole::regrole::text ELSE 'database ' || datname END
    FROM pg_db_role_setting LEFT JOIN pg_database ON pg_database.oid = setdatabase
    WHERE 'session_replication_role=replica' = ANY (setconfig) AND (setdatabase = 0 OR datname = current_database())
"""
_SEPARATE = "bin/dash migrate --owner NAME --worker NAME makes an owner and a worker; give DATABASE_URL the worker"


def examine_role(connection: psycopg.Connection) -> Iterator[tuple[bool, str, str]]:
    """Whether it is well, what was found, and what to do: about the role, about writers that are not seen, and about a
    pooler and the encoding."""
    yield from _rights(connection)
    for (whose,) in connection.execute(_AS_REPLICA).fetchall():
        yield (
            False,
            f"{whose} writes with session_replication_role = replica: its changes fire no trigger and are not noted",
            "ALTER ROLE … RESET session_replication_role, or note its changes as docs/integrate.md says",
        )
    (backend,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    if backend != connection.info.backend_pid:
        yield True, "DATABASE_URL leads through a pooler; statements are not prepared there by name", ""
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        yield True, "the database is SQL_ASCII: names are shown as UTF-8 where they are that", ""


def _rights(connection: psycopg.Connection) -> Iterator[tuple[bool, str, str]]:
    row = connection.execute(_RIGHTS, {"contract": list(CONTRACT)}).fetchone()
    if row is None:
        return
    role, is_superuser, owns, unread, unwritten, written = row
    if is_superuser:
        yield False, f"{role} is a superuser", _SEPARATE
    elif owns:
        yield False, f"{role} owns the schema dashboard and may change all of it", _SEPARATE
    elif unread or unwritten:
        missing = "; ".join(
            f"{role} may not {what} {', '.join(tables)}"
            for what, tables in (("read", unread), ("write", unwritten))
            if tables
        )
        yield False, missing, "bin/dash migrate as the owner grants workers what they need"
    elif written:
        yield False, f"{role} may write {', '.join(written)}, which workers only read", f"REVOKE it from {role}"
    else:
        yield True, f"{role} reads the contract and writes only what is Daybook's own", ""
