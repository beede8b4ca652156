"""Applies a reviewed mapping, or takes its views away again; a part that this role may not run is left to who may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from cli.hosts.script import OUR_PART
from shared.errors import DaybookError
from workers.contract import TABLES
from workers.database import CONNECT_TIMEOUT_S, dsn

_OWNER = """
    SELECT nspowner::regrole::text, pg_has_role(nspowner, 'MEMBER') FROM pg_namespace WHERE nspname = 'dashboard'
"""
_VIEWS = """
    SELECT relname::text FROM pg_class
    WHERE relnamespace = 'dashboard'::regnamespace AND relkind = 'v' AND relname = ANY (%s) ORDER BY 1
"""

# Up to a semicolon outside of quotes, of any kind.
_STATEMENT = re.compile(r"""(?:\$\$.*?\$\$|'[^']*'|"[^"]*"|[^;'"])+""", re.DOTALL)


class NotApplied(DaybookError):
    """Nothing of the file could be run with this role, or the database refuses a part of it; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was run, and what is left for whom (None: nothing)."""

    statements: int
    views: bool
    left: str | None


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """A plain connection of the operator's, each statement committed by itself and none ended by a timeout."""
    with psycopg.connect(
        dsn(url), autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name="daybook map"
    ) as connection:
        yield connection


def apply(connection: psycopg.Connection, text: str) -> Applied:
    """Run the file: rights and indexes one by one, views and change capture in one transaction. May be run again."""
    rights, marker, ours = text.partition(OUR_PART)
    if not marker:
        rights, ours = "", text
    owner, is_member = _owner(connection)
    run = 0
    left = None
    for statement in _statements(rights):
        try:
            connection.execute(statement.encode())
            run += 1
        except psycopg.errors.InsufficientPrivilege:
            left = "part 1, rights and indexes: by the owner of the host's tables"
            break
        except psycopg.Error as error:
            raise NotApplied(f"{str(error).splitlines()[0]} in: {' '.join(statement.split())}") from error
    if not is_member:
        if not run:
            raise NotApplied(f"this role owns neither the host's tables nor the schema dashboard ({owner} does)")
        return Applied(statements=run, views=False, left=f"part 2, views and change capture: by {owner}")
    try:
        connection.execute(ours.encode())
    except psycopg.Error as error:
        connection.rollback()
        hint = "; part 1 of the file comes first, by the owner of the host's tables" if left else ""
        raise NotApplied(f"no view was made: {str(error).splitlines()[0]}{hint}") from error
    return Applied(statements=run, views=True, left=left)


def unmap(connection: psycopg.Connection) -> list[str]:
    """Drop the views of the contract, and say which. What is served stays, and is marked stale until they are back."""
    owner, is_member = _owner(connection)
    if not is_member:
        raise NotApplied(f"the views belong to {owner}, and this role is no member of it")
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '5s'")
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.SQL(owner)))
        views = [name for (name,) in connection.execute(_VIEWS, [list(TABLES)]).fetchall()]
        for name in views:
            connection.execute(sql.SQL("DROP VIEW {}").format(sql.Identifier("dashboard", name)))
    return views


def _owner(connection: psycopg.Connection) -> tuple[str, bool]:
    found = connection.execute(_OWNER).fetchone()
    if found is None:
        raise NotApplied("there is no schema dashboard in the database; run bin/dash migrate first")
    return found[0], found[1]


def _statements(text: str) -> Iterator[str]:
    """The statements of the first part; comments are left out."""
    plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    for one in _STATEMENT.findall(plain):
        if one.strip():
            yield one.strip()
