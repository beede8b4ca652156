"""Brings the schema `dashboard` up to date, or back: Alembic under a lock, so that two starts do not collide."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from workers.roles import Login, grant_to_workers, make_owner, make_worker

# Any number that nothing else in the database uses; it names the lock that one migration at a time holds.
MIGRATION_LOCK = 0x0DA1B00C

# Whoever owns the schema migrates it, so that nothing in it ever runs at the rights of a superuser who typed the command.
_AS_OWNER = text(
    """
    SELECT set_config('role', coalesce(:owner, (
        SELECT rolname FROM pg_namespace JOIN pg_roles ON pg_roles.oid = nspowner
        WHERE nspname = 'dashboard' AND pg_has_role(nspowner, 'MEMBER')
    ), current_user), true)
    """
)


def migrate(engine: Engine, revision: str = "head", *, owner: Login | None = None, worker: Login | None = None) -> None:
    """Upgrade the schema to `revision` in one transaction; a second caller waits and finds nothing to do.

    `owner` is made if it is not there and owns the schema from then on; without one the schema's owner stays who it is, and
    whoever makes it owns it. `worker` is made if it is not there. Workers may then do what they need, those of earlier
    calls too.
    """
    if owner:
        make_owner(engine, owner)
    _run(engine, command.upgrade, revision, owner)
    if worker:
        make_worker(engine, worker)
    grant_to_workers(engine)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to `revision` in one transaction."""
    _run(engine, command.downgrade, revision)


def _run(engine: Engine, step: object, revision: str, owner: Login | None = None) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        connection.execute(_AS_OWNER, {"owner": owner and owner.name})
        config.attributes["connection"] = connection
        step(config, revision)  # type: ignore[operator]
