"""What change capture does not see, or sees as everyone's: for `bin/dash doctor`. Reads PostgreSQL's catalogue only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg

_AGAIN = "call dashboard.track_changes for it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One finding. `lossy`: changes go unseen that could be seen; else it is a bound to know, a right, or needless work."""

    table: str
    detail: str
    advice: str
    lossy: bool = False


def capture_gaps(connection: psycopg.Connection) -> list[Gap]:
    """Everything that is known to be missed, table by table; what the role (the schema's owner, or a worker) may not look
    at is left out."""
    looks: tuple[Callable[[psycopg.Connection], Iterator[Gap]], ...] = (
        _rights,
        _untracked,
        _without_triggers,
        _not_found,
        _virtual,
        _partitioned,
        _replicated,
        _columns,
    )
    with connection.transaction():
        # Names are looked up, and told, as they are inside of the triggers.
        connection.execute("SET LOCAL search_path = pg_catalog, pg_temp")
        return [gap for look in looks for gap in look(connection)]


def tenant_questions(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Each of the host's tables that is tracked, with the expression over `changed_row` that its triggers find tenants by."""
    with connection.transaction():
        connection.execute("SET LOCAL search_path = pg_catalog, pg_temp")
        return [(table, expression) for table, expression in connection.execute(_TENANTS).fetchall()]


def _rights(connection: psycopg.Connection) -> Iterator[Gap]:
    for owner, function in connection.execute(
        """SELECT rolname::text, proname::text FROM pg_proc JOIN pg_roles ON pg_roles.oid = proowner
        WHERE pronamespace = 'dashboard'::regnamespace AND prosecdef AND rolsuper"""
    ).fetchall():
        yield Gap(
            table=f"dashboard.{function}",
            detail=f"runs at the rights of the superuser {owner}",
            advice="bin/dash migrate --owner daybook_owner, once, as a superuser",
        )


def _untracked(connection: psycopg.Connection) -> Iterator[Gap]:
    for table, kind in connection.execute(_UNTRACKED).fetchall():
        if kind == "m":
            yield Gap(
                table=table,
                detail="a materialized view is read: its rows change when it is refreshed, which nothing notes",
                advice="run bin/dash recalculate --all after each REFRESH, or read the tables themselves",
            )
        else:
            yield Gap(
                table=table,
                detail="is read, and its changes are not tracked",
                advice=f"SELECT dashboard.track_changes('{table}', 'the column that names the tenant')",
                lossy=True,
            )


def _without_triggers(connection: psycopg.Connection) -> Iterator[Gap]:
    for table, parent, triggers, disabled, old in connection.execute(_TRIGGERS).fetchall():
        if old:
            yield Gap(
                table=table,
                detail="is tracked as an older Daybook did it: every change makes everyone due",
                advice=_AGAIN,
            )
        elif disabled:
            yield Gap(
                table=table,
                detail="its triggers are disabled",
                advice=f"ALTER TABLE {table} ENABLE TRIGGER USER",
                lossy=True,
            )
        elif triggers < _TRIGGERS_OF_A_TABLE:
            what = "a partition" if table != parent else "a table"
            detail = f"{what} without all of its triggers"
            yield Gap(table=table, detail=detail, advice=f"{_AGAIN} ({parent})", lossy=True)


def _not_found(connection: psycopg.Connection) -> Iterator[Gap]:
    """Try each question that the triggers ask, by having it planned, not answered."""
    for table, query in connection.execute(_QUESTIONS).fetchall():
        for rows in ("rows_before", "rows_after"):
            query = query.replace(f"FROM {rows} AS changed_row", f"FROM {table} AS changed_row")
        try:
            with connection.transaction():
                connection.execute(b"EXPLAIN " + query.encode())
        except psycopg.errors.InsufficientPrivilege:
            continue
        except psycopg.Error as error:
            reason = str(error).partition("\n")[0]
            yield Gap(table=table, detail=f"{reason}: changes make everyone due", advice=_AGAIN)


def _virtual(connection: psycopg.Connection) -> Iterator[Gap]:
    for table, column in connection.execute(_VIRTUAL).fetchall():
        yield Gap(
            table=table,
            detail=f"{column} is a virtual generated column, which triggers may not read: changes make everyone due",
            advice=f"{_AGAIN}, naming a stored column for the tenant, and the stored columns that count",
        )


def _partitioned(connection: psycopg.Connection) -> Iterator[Gap]:
    for (table,) in connection.execute(_PARTITIONED).fetchall():
        yield Gap(
            table=table,
            detail="is partitioned: rows that come or go by ATTACH, DETACH or DROP of a partition are not noted",
            advice="after each, track it again and run bin/dash recalculate --all",
        )


def _replicated(connection: psycopg.Connection) -> Iterator[Gap]:
    for (table,) in connection.execute(_REPLICATED).fetchall():
        yield Gap(
            table=table,
            detail="is filled by a subscription: PostgreSQL fires no statement's triggers for rows that are replicated",
            advice="track the table where it is written, or let who replicates insert into dashboard.change",
        )


def _columns(connection: psycopg.Connection) -> Iterator[Gap]:
    for table, watched, read, stale in connection.execute(_COLUMNS).fetchall():
        unseen = sorted(set(read or ()) - set(watched or read or ()))
        if unseen:
            yield Gap(
                table=table,
                detail=f"an UPDATE of {', '.join(unseen)} is not noted, though a view reads it",
                advice=_AGAIN,
                lossy=True,
            )
        elif stale:
            yield Gap(
                table=table,
                detail="the views that read it have changed: an UPDATE of any column makes its tenants due",
                advice=_AGAIN,
            )


_TRIGGERS_OF_A_TABLE = 7

# Every trigger of ours with its arguments, which end in zero bytes: the question, the tenant expression, the columns.
_OURS = """
    ours AS (
        SELECT tgrelid, tgname, tgenabled, proname = 'note_change' AS notes,
               string_to_array(encode(tgargs, 'escape'), E'\\\\000') AS arguments
        FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE pronamespace = 'dashboard'::regnamespace AND (proname = 'note_change' OR proname LIKE 'see\\_change%')
            AND tgqual IS NULL
    )
"""

# Tables that the contract is read from, directly or through views.
_UNTRACKED = f"""
    WITH RECURSIVE {_OURS}, reading AS (
        SELECT oid, relkind FROM pg_class
        WHERE relnamespace = 'dashboard'::regnamespace AND relname = ANY (dashboard.contract_tables())
        UNION
        SELECT source.oid, source.relkind
        FROM reading
        JOIN pg_rewrite ON ev_class = reading.oid
        JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid AND refclassid = 'pg_class'::regclass
        JOIN pg_class AS source ON source.oid = refobjid AND source.relkind IN ('r', 'p', 'f', 'v', 'm')
    )
    SELECT oid::regclass::text, relkind::text FROM reading
    WHERE relkind = 'm' OR (relkind <> 'v' AND NOT EXISTS (SELECT FROM ours WHERE tgrelid = oid))
    ORDER BY 1
"""  # noqa: S608

_TRIGGERS = f"""
    WITH RECURSIVE {_OURS}, parts AS (
        SELECT DISTINCT tgrelid AS part, tgrelid AS parent FROM ours
        UNION
        SELECT inhrelid, parent FROM parts JOIN pg_inherits ON inhparent = part
    )
    SELECT part::regclass::text, min(parent::regclass::text), count(DISTINCT tgname),
           coalesce(bool_or(tgenabled IN ('D', 'R')), false),
           coalesce(bool_or(notes AND tgname = 'dashboard_insert'), false)
    FROM parts LEFT JOIN ours ON tgrelid = part GROUP BY part ORDER BY 1
"""  # noqa: S608

_QUESTIONS = f"""
    WITH {_OURS}
    SELECT DISTINCT ON (tgrelid) tgrelid::regclass::text,
           convert_from(decode(arguments[1], 'escape'), getdatabaseencoding())
    FROM ours WHERE NOT notes AND tgname = 'dashboard_update' ORDER BY tgrelid
"""  # noqa: S608

# The tenant of a row, as the trigger for inserted rows asks for it; a table whose tenant is everyone has no question.
_TENANTS = f"""
    WITH {_OURS}
    SELECT DISTINCT ON (tgrelid) tgrelid::regclass::text,
           substring(convert_from(decode(arguments[1], 'escape'), getdatabaseencoding())
                     FROM 'SELECT DISTINCT (.*) AS tenant_id FROM rows_after')
    FROM ours JOIN pg_class ON oid = tgrelid
    WHERE NOT notes AND tgname = 'dashboard_insert' AND arguments[2] <> '*'
        AND relnamespace <> 'dashboard'::regnamespace
    ORDER BY tgrelid
"""  # noqa: S608

_VIRTUAL = f"""
    WITH {_OURS}
    SELECT DISTINCT ON (tgrelid) tgrelid::regclass::text, attname::text
    FROM ours JOIN pg_attribute ON attrelid = tgrelid AND attgenerated = 'v' AND NOT attisdropped
    WHERE position('changed_row.*' IN arguments[1]) > 0
        OR position('changed_row.' || quote_ident(attname) IN arguments[1]) > 0
    ORDER BY tgrelid, attnum
"""  # noqa: S608

_PARTITIONED = f"""
    WITH {_OURS}
    SELECT DISTINCT tgrelid::regclass::text FROM ours JOIN pg_class ON oid = tgrelid
    WHERE relkind = 'p' AND NOT relispartition
"""  # noqa: S608

_REPLICATED = f"""
    WITH {_OURS}
    SELECT DISTINCT tgrelid::regclass::text FROM ours JOIN pg_subscription_rel ON srrelid = tgrelid
"""  # noqa: S608

# Columns that were named when the table was tracked (null: none), those that views read, and whether these views are
# others than they were then.
_COLUMNS = f"""
    WITH {_OURS}
    SELECT DISTINCT ON (tgrelid) tgrelid::regclass::text, named.columns, found.columns,
           named.columns IS NULL AND found.columns IS NOT NULL
               AND position(coalesce(found.mapping, '') IN arguments[1]) = 0
    FROM ours
    CROSS JOIN LATERAL (
        SELECT nullif(convert_from(decode(arguments[3], 'escape'), getdatabaseencoding()), '')::text[] AS columns
    ) AS named
    CROSS JOIN LATERAL dashboard.columns_read(tgrelid) AS found
    WHERE NOT notes AND tgname = 'dashboard_update'
    ORDER BY tgrelid
"""  # noqa: S608
