"""The schema goes up, down and up again."""

import psycopg
from sqlalchemy import Engine

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
