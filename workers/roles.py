"""Daybook's roles in the database: an owner of the schema, who migrates it, and workers, who write only Daybook's own tables.

Neither is a superuser, and a worker may not write what the host product writes. Their names and passwords are the
operator's; what they may do is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from sqlalchemy import Engine

from workers.contract import TABLES

# What a host product fills, or replaces by views: workers only read it.
CONTRACT = tuple(TABLES)

# What a worker that looks for gaps in the capture asks; these only read the catalogue.
_LOOKING = [sql.SQL("dashboard.contract_tables()"), sql.SQL("dashboard.columns_read(regclass)")]


@dataclass(frozen=True, slots=True)
class Login:
    """A role; without a password it is made for SET ROLE, or for a server that asks for none."""

    name: str
    password: str | None = field(default=None, repr=False)


def make_owner(engine: Engine, owner: Login) -> None:
    """Make the role unless it is there, and give it the schema with all that is Daybook's in it.

    Needs a superuser, or someone who may make roles and owns the database. Views keep their owners: they read at their
    owners' rights.
    """
    with _connection(engine) as connection:
        _make(connection, owner)
        connection.execute(
            sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(
                sql.Identifier(connection.info.dbname), sql.Identifier(owner.name)
            )
        )
        for (statement,) in connection.execute(_FOREIGN, {"owner": owner.name}).fetchall():
            connection.execute(statement)


def make_worker(engine: Engine, worker: Login) -> None:
    """Make the role unless it is there. Its rights come with `grant_to_workers`."""
    with _connection(engine) as connection:
        _make(connection, worker)
        connection.execute(sql.SQL("GRANT INSERT ON dashboard.change TO {}").format(sql.Identifier(worker.name)))


def grant_to_workers(engine: Engine) -> None:
    """Let every worker (whoever was granted to write dashboard.change) read the schema, now and when views take the place
    of its tables, and write the tables that are Daybook's own."""
    with _connection(engine) as connection:
        workers = [name for (name,) in connection.execute(_WORKERS).fetchall()]
        tables = connection.execute(_TABLES, {"contract": list(CONTRACT)}).fetchall()
        for name in workers:
            _grant(connection, sql.Identifier(name), tables)


def _grant(connection: psycopg.Connection, worker: sql.Identifier, tables: list[tuple[str, bool]]) -> None:
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA dashboard TO {}").format(worker))
    for (maker,) in connection.execute(_MAKERS).fetchall():
        connection.execute(
            sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA dashboard GRANT SELECT ON TABLES TO {}").format(
                sql.Identifier(maker), worker
            )
        )
    connection.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(", ").join(_LOOKING), worker))
    for table, own in tables:
        rights = sql.SQL("SELECT, INSERT, UPDATE, DELETE" if own else "SELECT")
        connection.execute(sql.SQL("GRANT {} ON {} TO {}").format(rights, sql.Identifier("dashboard", table), worker))


def _make(connection: psycopg.Connection, role: Login) -> None:
    name = sql.Identifier(role.name)
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role.name]).fetchone() is None:
        # Roles are the whole server's: another of its databases may be making the same one just now.
        with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE").format(name))
    if role.password is not None:
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(role.password)))


@contextmanager
def _connection(engine: Engine) -> Iterator[psycopg.Connection]:
    """One transaction on a plain connection of the engine."""
    with engine.begin() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 (for the type checker: the engine's driver)
        yield driver


# Who will make views in the place of tables: the schema's owner, and we ourselves.
_MAKERS = """
    SELECT rolname FROM pg_roles
    WHERE rolname = current_user OR oid = (SELECT nspowner FROM pg_namespace WHERE nspname = 'dashboard')
"""

# Roles other than the owner that were granted to write changes.
_WORKERS = """
    SELECT DISTINCT rolname
    FROM pg_class CROSS JOIN LATERAL aclexplode(relacl) AS granted JOIN pg_roles ON pg_roles.oid = grantee
    WHERE pg_class.oid = to_regclass('dashboard.change') AND privilege_type = 'INSERT' AND grantee <> relowner
    ORDER BY rolname
"""

# What we may grant rights on, and whether it is Daybook's own.
_TABLES = """
    SELECT relname::text, relkind IN ('r', 'p') AND NOT relname = ANY (%(contract)s) AND relname <> 'schema_version'
    FROM pg_class
    WHERE relnamespace = 'dashboard'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND pg_has_role(relowner, 'USAGE')
    ORDER BY relname
"""

# What gives the schema and what is Daybook's in it to its owner.
_FOREIGN = """
    SELECT format('ALTER SCHEMA dashboard OWNER TO %%I', %(owner)s::text) FROM pg_namespace
    WHERE nspname = 'dashboard' AND nspowner::regrole::text <> quote_ident(%(owner)s::text)
    UNION ALL
    SELECT format('ALTER TABLE %%s OWNER TO %%I', pg_class.oid::regclass, %(owner)s::text)
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'dashboard' AND relkind IN ('r', 'p') AND relowner::regrole::text <> quote_ident(%(owner)s::text)
    UNION ALL
    SELECT format('ALTER ROUTINE %%s OWNER TO %%I', pg_proc.oid::regprocedure, %(owner)s::text)
    FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
    WHERE nspname = 'dashboard' AND proowner::regrole::text <> quote_ident(%(owner)s::text)
    UNION ALL
    SELECT format('ALTER DOMAIN %%s OWNER TO %%I', pg_type.oid::regtype, %(owner)s::text)
    FROM pg_type JOIN pg_namespace ON pg_namespace.oid = typnamespace
    WHERE nspname = 'dashboard' AND typtype = 'd' AND typowner::regrole::text <> quote_ident(%(owner)s::text)
"""
