"""The owner, who migrates, and the worker, who may do what workers do and no more; neither is a superuser."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime

import psycopg
import pytest
from sqlalchemy import Engine

from cli.database_role import examine_role
from tests.conftest import Services
from tests.rows import add_tenant
from tests.servers import PROJECT
from workers.capture import changes
from workers.capture.gaps import capture_gaps
from workers.database import make_engine
from workers.migrate import downgrade, migrate
from workers.roles import Login

OWNER, WORKER = Login("daybook_owner"), Login("daybook_worker")

DAY = date(2026, 3, 10)
OWN = ("change", "local_day", "daily_close", "alert_board", "alert", "alert_event", "subscription", "threshold")


def as_role(url: str, role: Login) -> str:
    return url.replace("//daybook@", f"//{role.name}@")


@pytest.fixture
def superuser(engine: Engine, database_url: str) -> Engine:
    """An engine on a database whose roles are set up."""
    migrate(engine, owner=OWNER, worker=WORKER)
    return engine


@pytest.fixture
def worker(superuser: Engine, database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(as_role(database_url, WORKER), autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(superuser: Engine, database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(as_role(database_url, OWNER), autocommit=True) as connection:
        yield connection


def test_neither_role_is_mighty_and_nothing_in_the_schema_belongs_to_anyone_else(
    db: psycopg.Connection, owner: psycopg.Connection
) -> None:
    for role in (OWNER, WORKER):
        rights = db.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication FROM pg_roles WHERE rolname = %s",
            [role.name],
        ).fetchone()
        assert rights == (False,) * 5
    owners = db.execute(
        """SELECT relowner::regrole::text FROM pg_class WHERE relnamespace = 'dashboard'::regnamespace
        UNION SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'dashboard'::regnamespace
        UNION SELECT typowner::regrole::text FROM pg_type WHERE typnamespace = 'dashboard'::regnamespace"""
    ).fetchall()
    assert owners == [(OWNER.name,)]


def test_the_owner_stays_when_a_superuser_migrates_later(
    superuser: Engine, database_url: str, db: psycopg.Connection
) -> None:
    downgrade(superuser, "0003")
    migrate(superuser)
    assert db.execute("SELECT proowner::regrole::text FROM pg_proc WHERE proname = 'note_change'").fetchone() == (
        OWNER.name,
    )
    engine = make_engine(as_role(database_url, OWNER))
    downgrade(engine, "0002")
    migrate(engine)
    engine.dispose()
    assert db.execute("SELECT has_table_privilege('daybook_worker', 'dashboard.alert', 'INSERT')").fetchone() == (True,)


def test_a_worker_reads_the_contract_and_writes_only_what_is_daybooks_own(
    owner: psycopg.Connection, worker: psycopg.Connection
) -> None:
    add_tenant(owner, "one").invoice(DAY, 10)
    assert list(changes.due_tenants(worker, 10)) == ["one"]
    changes.make_due(worker, ["one", "*"])
    changes.expand_everyone(worker)
    assert changes.roll_days(worker, datetime(2026, 3, 10, tzinfo=UTC)) == 1
    changes.settle(worker, changes.pending(worker, ["one"])["one"])
    for table in OWN:
        worker.execute(f"DELETE FROM dashboard.{table}")
    for attempt in (
        "INSERT INTO dashboard.tenant (tenant_id, base_currency) VALUES ('two', 'USD')",
        "UPDATE dashboard.invoice SET total = 0",
        "DELETE FROM dashboard.invoice",
        "TRUNCATE dashboard.change",
        "UPDATE dashboard.schema_version SET version_num = '0001'",
        "CREATE TABLE dashboard.mine (a integer)",
        "SELECT dashboard.track_changes('dashboard.invoice', '*')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            worker.execute(attempt)


def test_owner_and_worker_find_nothing_missing_in_what_they_set_up(
    owner: psycopg.Connection, worker: psycopg.Connection
) -> None:
    assert capture_gaps(owner) == []
    assert capture_gaps(worker) == []


def test_a_view_in_the_place_of_a_table_can_be_read_at_once(
    owner: psycopg.Connection, worker: psycopg.Connection
) -> None:
    owner.execute("CREATE SCHEMA billing; CREATE TABLE billing.clients (tenant_id text, client_id text)")
    owner.execute("DROP TABLE dashboard.client; CREATE VIEW dashboard.client AS SELECT * FROM billing.clients")
    assert worker.execute("SELECT count(*) FROM dashboard.client").fetchone() == (0,)


def test_the_owner_tracks_a_table_that_is_the_hosts_again_and_again(
    db: psycopg.Connection, owner: psycopg.Connection
) -> None:
    db.execute("CREATE SCHEMA billing; CREATE TABLE billing.orders (company_id text, org_id text)")
    db.execute("INSERT INTO billing.orders VALUES ('one', 'two')")
    db.execute(f"GRANT USAGE ON SCHEMA billing TO {OWNER.name}")
    db.execute(f"GRANT SELECT, TRIGGER ON billing.orders TO {OWNER.name}")
    for column, expected in (("company_id", ["one"]), ("org_id", ["two"])):
        owner.execute("SELECT dashboard.track_changes('billing.orders', %s)", [column])
        db.execute("DELETE FROM billing.orders; INSERT INTO billing.orders VALUES ('one', 'two')")
        assert list(changes.due_tenants(db, 10)) == expected
        db.execute("DELETE FROM dashboard.change")
    owner.execute("SELECT dashboard.untrack_changes('billing.orders')")
    db.execute("TRUNCATE billing.orders")
    db.execute("INSERT INTO billing.orders VALUES ('one', 'two')")
    assert list(changes.due_tenants(db, 10)) == []


def test_the_command_makes_the_roles(database_url: str, db: psycopg.Connection, services: Services) -> None:
    name = f"worker_{uuid.uuid4().hex}"
    given = {"DATABASE_URL": database_url, "REDIS_URL": services.redis_url, "DASHBOARD_WORKER_PASSWORD": "s3cret'"}
    subprocess.run(
        [sys.executable, "-m", "cli.dash", "migrate", "--owner", OWNER.name, "--worker", name],
        cwd=PROJECT, env={**os.environ, **given}, check=True, timeout=60,
    )  # fmt: skip
    try:
        stored = db.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [name]).fetchone()
        assert stored is not None
        assert stored[0].startswith("SCRAM-SHA-256")
        assert db.execute("SELECT has_table_privilege(%s, 'dashboard.change', 'DELETE')", [name]).fetchone() == (True,)
    finally:
        db.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_the_doctor_tells_a_role_that_may_too_much_or_too_little(
    db: psycopg.Connection, owner: psycopg.Connection, worker: psycopg.Connection
) -> None:
    def said(connection: psycopg.Connection) -> list[str]:
        return [detail for is_well, detail, _ in examine_role(connection) if not is_well]

    assert said(worker) == []
    assert said(owner) == [f"{OWNER.name} owns the schema dashboard and may change all of it"]
    assert said(db) == ["daybook is a superuser"]
    db.execute(f"GRANT DELETE ON dashboard.quote TO {WORKER.name}")
    assert said(worker) == [f"{WORKER.name} may write quote, which workers only read"]
    db.execute(f"REVOKE SELECT ON dashboard.invoice FROM {WORKER.name}")
    db.execute(f"REVOKE DELETE ON dashboard.change FROM {WORKER.name}")
    assert said(worker) == [f"{WORKER.name} may not read invoice; {WORKER.name} may not write change"]
    name = db.info.dbname
    db.execute(f"ALTER DATABASE {name} SET session_replication_role = replica")
    assert said(worker)[-1].startswith(f"database {name} writes with session_replication_role = replica")
