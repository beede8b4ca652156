"""`bin/dash migrate`: the schema dashboard brought up to date, and who may use it."""

from __future__ import annotations

import click
from sqlalchemy import text

from cli.database import command_engine
from cli.known import known_environment, load_settings
from workers.migrate import migrate as migrate_database
from workers.roles import Login


@click.command()
@click.option("--owner", metavar="ROLE", help="Give the schema to this role, made if need be. Needs a superuser, once.")
@click.option("--worker", metavar="ROLE", help="Let this role, made if need be, do what workers do and no more.")
@click.option("--worker-password", envvar="DASHBOARD_WORKER_PASSWORD", help="Set it. Better in the environment.")
def migrate(owner: str | None, worker: str | None, worker_password: str | None) -> None:
    """Bring the schema dashboard up to date, as its owner; and say who may use it."""
    settings = load_settings(known_environment())
    engine = command_engine(settings.database_url)
    migrate_database(
        engine, owner=Login(owner) if owner else None, worker=Login(worker, worker_password) if worker else None
    )
    with engine.connect() as connection:
        revision = connection.execute(text("SELECT version_num FROM dashboard.schema_version")).scalar_one()
    print(f"schema dashboard is at revision {revision}")
