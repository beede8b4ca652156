"""The schema goes up, down and up again."""

import contextlib
import re
from datetime import date
from typing import Any

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


def test_what_is_tracked_stays_tracked_as_it_was_when_its_questions_become_functions_and_back(
    engine: Engine, db: psycopg.Connection
) -> None:
    db.execute("CREATE SCHEMA shop; CREATE TABLE shop.bills (firm integer, day date, total numeric, memo text)")
    downgrade(engine, "0011")
    db.execute("SELECT dashboard.track_changes('shop.bills', $$'firm-' || changed_row.firm$$, '{total}')")

    def noted(*statements: str) -> list[Any]:
        db.execute("DELETE FROM dashboard.change")
        for statement in statements:
            db.execute(statement.encode())
        return db.execute("SELECT tenant_id, oldest_day, document_ids FROM dashboard.change ORDER BY id").fetchall()

    def assert_noted() -> None:
        db.execute("TRUNCATE shop.bills; DELETE FROM dashboard.invoice")
        assert noted("INSERT INTO shop.bills VALUES (7, NULL, 1, 'a')") == [("firm-7", None, None)]
        assert noted("UPDATE shop.bills SET memo = 'b'") == []
        assert noted("UPDATE shop.bills SET total = 2") == [("firm-7", None, None)]
        sold = "INSERT INTO dashboard.invoice (tenant_id, invoice_id, status, issue_date, currency, total)"
        assert noted(f"{sold} VALUES ('a', '1', 'posted', DATE '2026-01-02', 'USD', 1)") == [
            ("a", date(2026, 1, 2), ["1"])
        ]

    assert_noted()
    migrate(engine)
    assert_noted()
    assert _seeing(db) == {"see_change_"}
    downgrade(engine, "0011")
    assert_noted()
    assert _seeing(db) == {"see_change", "see_days"}


def _seeing(db: psycopg.Connection) -> set[str]:
    """The functions of triggers that ask, without what each of them is told apart by."""
    found = db.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'see\\_%'").fetchall()
    return {re.sub("[0-9a-f]{32}$", "", name) for (name,) in found}
