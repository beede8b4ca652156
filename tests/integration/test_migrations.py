"""The schema goes up, down and up again."""

import contextlib

import psycopg
from sqlalchemy import Engine

from shared.tenant_ids import can_be_served
from workers.migrate import downgrade, migrate


def test_schema_can_be_taken_down_and_up_again(engine: Engine, db: psycopg.Connection) -> None:
    downgrade(engine, "base")
    left = db.execute("SELECT relname FROM pg_class WHERE relnamespace = 'dashboard'::regnamespace AND relkind = 'r'")
    assert left.fetchall() == [("schema_version",)]

    migrate(engine)
    tables = db.execute("SELECT relname FROM pg_class WHERE relnamespace = 'dashboard'::regnamespace AND relkind = 'r'")
    assert {"tenant", "invoice", "daily_close"} <= {name for (name,) in tables}


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    migrate(engine)


def test_the_table_takes_and_refuses_the_ids_that_tokens_do(engine: Engine, db: psycopg.Connection) -> None:
    tried = ["1", "acme", "Zoë & Söhne", "日本", "a b", "x" * 255, "a.b", "*a"]
    tried += ["", "*", ".", "..", "a/b", "a\nb", "a\u200b", "a\u00a0", "x" * 256]
    for tenant_id in tried:
        with contextlib.suppress(psycopg.errors.CheckViolation):
            db.execute(
                "INSERT INTO dashboard.tenant (tenant_id, timezone, base_currency) VALUES (%s, 'UTC', 'USD')",
                [tenant_id],
            )
    taken = {tenant_id for (tenant_id,) in db.execute("SELECT tenant_id FROM dashboard.tenant")}
    assert taken == {tenant_id for tenant_id in tried if can_be_served(tenant_id)}


def test_ids_that_are_there_already_and_a_view_in_the_tables_place_do_not_stop_it(
    engine: Engine, db: psycopg.Connection
) -> None:
    downgrade(engine, "0008")
    db.execute("INSERT INTO dashboard.tenant (tenant_id, timezone, base_currency) VALUES ('a/b', 'UTC', 'USD')")
    migrate(engine)
    downgrade(engine, "0008")
    db.execute("DROP TABLE dashboard.tenant; CREATE VIEW dashboard.tenant AS SELECT 'a'::text AS tenant_id")
    migrate(engine)
    downgrade(engine, "0008")
