"""What the database needs before the processes start: itself, the schema, and at the very first start the demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from sqlalchemy import Engine, text

from cli.local.embedded import Postgres
from cli.local.plan import DATABASE, Plan
from cli.local.ready import DemoTenant
from cli.progress import progress
from demo.load import load_demo
from workers.database import make_engine
from workers.migrate import migrate


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The demo's tenants, the liveliest first, none without a demo; `fresh`: loaded just now, not computed yet."""

    tenants: Sequence[DemoTenant]
    fresh: bool


def prepare_database(plan: Plan) -> Prepared:
    """Bring the schema up to date and load the demo into an empty database."""
    if plan.postgres is not None:
        _create_database(plan.postgres)
        superuser = make_engine(plan.postgres.url(DATABASE))
        migrate(superuser, owner=plan.owner, worker=plan.worker)
        superuser.dispose()
    engine = make_engine(plan.owner_url)
    try:
        if plan.postgres is None:
            migrate(engine)
        if not plan.demo:
            return Prepared(tenants=(), fresh=False)
        known = _tenants(engine)
        if known:
            return Prepared(tenants=known, fresh=False)
        print("Loading demo tenants …", flush=True)
        with progress() as advance:
            load_demo(engine, progress=advance)
        return Prepared(tenants=_tenants(engine), fresh=True)
    finally:
        engine.dispose()


def _create_database(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if known is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _tenants(engine: Engine) -> Sequence[DemoTenant]:
    statement = text(
        "SELECT tenant_id, coalesce(name, tenant_id) FROM dashboard.tenant"
        " ORDER BY tenant_id <> 'demo', tenant_id LIMIT 100"
    )
    with engine.connect() as connection:
        return [DemoTenant(tenant_id, name) for tenant_id, name in connection.execute(statement)]
