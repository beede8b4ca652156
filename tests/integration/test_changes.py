"""Committed changes make their tenants due, in the writer's own transaction, and nobody waits for anybody."""

from __future__ import annotations

from datetime import UTC, date, datetime

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.rows import add_tenant
from workers.capture import changes
from workers.loops.hot import SESSION
from workers.session import options

DAY = date(2026, 3, 10)


def noted(db: psycopg.Connection) -> list[str]:
    """The pending changes, one tenant id a row; forgotten thereafter."""
    rows = db.execute("SELECT tenant_id FROM dashboard.change ORDER BY id").fetchall()
    db.execute("DELETE FROM dashboard.change")
    return [tenant_id for (tenant_id,) in rows]


@pytest.mark.parametrize(
    "table", ["tenant", "client", "invoice", "payment", "allocation", "expense", "quote", "recurring", "fx_rate"]
)
def test_every_kind_of_change_on_every_table_makes_its_tenants_due(db: psycopg.Connection, table: str) -> None:
    add_tenant(db, "a")
    rows = add_tenant(db, "b")
    rows.client("c")
    rows.invoice(DAY, 100)
    rows.payment(DAY, 100, on={"i": 100})
    rows.expense(DAY, 10)
    rows.insert("quote", {"quote_id": "q", "status": "sent", "issue_date": DAY, "currency": "USD", "total": 1})
    rows.insert(
        "recurring", {"recurring_id": "r", "kind": "invoice", "currency": "USD", "amount": 1, "interval_unit": "month"}
    )
    rows.insert("fx_rate", {"currency": "EUR", "base_currency": "USD", "rate_date": DAY, "rate": "1.1"})
    assert set(noted(db)) == {"a", "b"}

    db.execute(f"UPDATE dashboard.{table} SET tenant_id = 'b2' WHERE tenant_id = 'b'")
    assert sorted(noted(db)) == ["b", "b2"]
    db.execute(f"DELETE FROM dashboard.{table} WHERE tenant_id = 'b2'")
    assert noted(db) == ["b2"]
    db.execute(f"TRUNCATE dashboard.{table}")
    assert noted(db) == ["*"]
    db.execute(f"DELETE FROM dashboard.{table} WHERE tenant_id = 'nobody'")
    assert noted(db) == []


def test_a_statement_notes_each_of_its_tenants_once(db: psycopg.Connection) -> None:
    db.execute(
        """INSERT INTO dashboard.invoice (tenant_id, invoice_id, status, issue_date, currency, total)
        SELECT 't' || n % 3, n::text, 'posted', '2026-03-10', 'USD', 10 FROM generate_series(1, 300) AS n"""
    )
    assert sorted(noted(db)) == ["t0", "t1", "t2"]


def test_a_change_is_noted_when_and_only_when_it_is_committed(db: psycopg.Connection, database_url: str) -> None:
    with psycopg.connect(database_url) as writer:
        add_tenant(writer, "rolled back")
        writer.rollback()
        add_tenant(writer, "open")
        assert noted(db) == []
        writer.commit()
        assert noted(db) == ["open"]


def test_writers_of_one_tenant_do_not_wait_for_each_other(db: psycopg.Connection, database_url: str) -> None:
    add_tenant(db)
    with psycopg.connect(database_url) as first, psycopg.connect(database_url) as second:
        for number, writer in enumerate((first, second)):
            writer.execute("SET lock_timeout = '1ms'")
            writer.execute(
                "INSERT INTO dashboard.client (tenant_id, client_id) VALUES ('t1', %s)", [f"client {number}"]
            )
        second.commit()
        first.commit()
    assert noted(db) == ["t1", "t1", "t1"]


def test_tables_of_a_host_product_behind_views_can_be_tracked_and_untracked(db: psycopg.Connection) -> None:
    db.execute("CREATE SCHEMA shop")
    db.execute('CREATE TABLE shop.bills (id uuid DEFAULT gen_random_uuid(), "Account Id" integer, total numeric)')
    db.execute("""SELECT dashboard.track_changes('shop.bills', 'Account Id')""")

    db.execute("INSERT INTO shop.bills VALUES (DEFAULT, 7, 10), (DEFAULT, 7, 20), (DEFAULT, NULL, 5)")
    assert noted(db) == ["7"]
    db.execute("""SELECT dashboard.track_changes('shop.bills', 'Account Id')""")
    db.execute("UPDATE shop.bills SET total = 1")
    assert noted(db) == ["7"]

    db.execute("SELECT dashboard.untrack_changes('shop.bills')")
    db.execute("DELETE FROM shop.bills")
    assert noted(db) == []
    with pytest.raises(psycopg.errors.UndefinedColumn, match="has no column tenant"):
        db.execute("SELECT dashboard.track_changes('shop.bills', 'tenant')")


def test_a_role_without_rights_on_the_notes_can_write_its_own_tables(db: psycopg.Connection) -> None:
    db.execute("CREATE TABLE bills (tenant text)")
    db.execute("SELECT dashboard.track_changes('bills', 'tenant')")
    role = f"host_{db.info.dbname}"
    db.execute(f"CREATE ROLE {role}")
    try:
        db.execute(f"GRANT INSERT ON bills TO {role}")
        db.execute(f"SET ROLE {role}")
        db.execute("INSERT INTO bills VALUES ('a')")
        db.execute("RESET ROLE")
        assert noted(db) == ["a"]
    finally:
        db.execute("RESET ROLE")
        db.execute(f"DROP OWNED BY {role}")
        db.execute(f"DROP ROLE {role}")


def test_settled_changes_are_those_that_were_pending_before_the_facts_were_read(db: psycopg.Connection) -> None:
    add_tenant(db, "a")
    add_tenant(db, "b")
    pending = changes.pending(db, ["a"])
    db.execute("UPDATE dashboard.tenant SET name = 'changed since' WHERE tenant_id = 'a'")

    changes.settle(db, pending["a"])
    assert list(changes.due_tenants(db, 10)) == ["b", "a"]
    assert list(pending) == ["a"]


def test_a_change_for_everyone_becomes_one_for_each_tenant_even_for_those_that_are_gone(db: psycopg.Connection) -> None:
    add_tenant(db, "a")
    add_tenant(db, "b")
    db.execute(
        """INSERT INTO dashboard.daily_close (tenant_id, local_date, pending, overdue, active_clients, source_state)
        VALUES ('gone', '2026-03-10', 0, 0, 0, 1)"""
    )
    noted(db)
    changes.expand_everyone(db)
    assert noted(db) == []
    db.execute("TRUNCATE dashboard.fx_rate")
    changes.expand_everyone(db)
    assert sorted(noted(db)) == ["a", "b", "gone"]


def test_local_midnight_makes_the_tenants_of_its_zone_due_once(db: psycopg.Connection) -> None:
    add_tenant(db, "tonga", timezone="Pacific/Tongatapu")
    add_tenant(db, "york", timezone="America/New_York")
    add_tenant(db, "nowhere", timezone="Mars/Olympus_Mons")  # lives by UTC
    before = datetime(2026, 3, 8, 10, 59, 59, tzinfo=UTC)
    changes.roll_days(db, before)
    noted(db)

    # Tonga is 13 hours ahead; New York's 8 March 2026 has 23 hours: its 9th begins at 04:00 UTC, not 05:00.
    for moment, rolled in [
        (before, []),
        (datetime(2026, 3, 8, 11, 0, tzinfo=UTC), ["tonga"]),
        (datetime(2026, 3, 8, 23, 59, 59, tzinfo=UTC), []),
        (datetime(2026, 3, 9, 0, 0, tzinfo=UTC), ["nowhere"]),
        (datetime(2026, 3, 9, 3, 59, 59, tzinfo=UTC), []),
        (datetime(2026, 3, 9, 4, 0, tzinfo=UTC), ["york"]),
        (datetime(2026, 3, 9, 3, 59, 0, tzinfo=UTC), []),  # a clock set back rolls nothing
    ]:
        assert changes.roll_days(db, moment) == len(rolled)
        assert noted(db) == rolled


def test_a_view_that_names_no_tenant_or_no_zone_keeps_nobody_from_midnight(db: psycopg.Connection) -> None:
    """Who has no zone lives by UTC, as one whose zone does not exist."""
    db.execute("ALTER TABLE dashboard.tenant RENAME TO account")
    db.execute("""
        CREATE VIEW dashboard.tenant AS SELECT * FROM (VALUES ('a', 'UTC', 'USD'), ('b', NULL, 'USD'), (NULL, 'UTC', 'USD'))
        AS account (tenant_id, timezone, base_currency)
    """)
    assert changes.roll_days(db, datetime(2026, 3, 10, tzinfo=UTC)) == 2
    assert sorted(noted(db)) == ["a", "b"]
    db.execute("TRUNCATE dashboard.fx_rate")
    changes.expand_everyone(db)
    assert sorted(noted(db)) == ["a", "b"]


def test_at_midnight_everybody_waits_for_a_turn_and_those_at_whom_somebody_looks_not_for_long(
    db: psycopg.Connection,
) -> None:
    hot = [f"hot-{number}" for number in range(20)]
    for tenant_id in (*hot, "cold", "colder"):
        add_tenant(db, tenant_id)
    noted(db)
    assert changes.roll_days(db, datetime(2026, 3, 10, tzinfo=UTC), hot=lambda: [*hot, "gone"], delay_s=86400) == 22
    assert not changes.due_tenants(db, 30)
    soon = f"due_at BETWEEN noted_at AND noted_at + interval '{changes.HOT_MIDNIGHT_S} s'"
    waits = db.execute(f"SELECT DISTINCT tenant_id FROM dashboard.change WHERE {soon}").fetchall()
    assert set(hot) <= {tenant_id for (tenant_id,) in waits}
    assert db.execute("SELECT count(DISTINCT due_at) FROM dashboard.change").fetchone() == (22,)
    db.execute("UPDATE dashboard.change SET due_at = clock_timestamp() - interval '1 s' WHERE tenant_id = 'cold'")
    assert "cold" in changes.waited_tenants(db, 30)


def test_what_is_due_at_once_is_found_among_what_waits(db: psycopg.Connection) -> None:
    any_at_once = changes.looking(db)
    assert not any_at_once([])
    add_tenant(db, "a")
    assert any_at_once([])
    changes.defer(db, ["a"], 3600)
    assert not any_at_once([])


def test_what_was_queued_just_now_is_no_news_and_every_other_change_is(db: psycopg.Connection) -> None:
    any_at_once = changes.looking(db)
    add_tenant(db, "a")
    queued = changes.due_tenants(db, 10)["a"].ids
    assert any_at_once([])
    assert not any_at_once([*queued, 10**18])
    db.execute("UPDATE dashboard.tenant SET name = 'again' WHERE tenant_id = 'a'")
    assert any_at_once(queued)


def test_a_look_that_fails_is_an_error_of_the_connection(db: psycopg.Connection, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        any_at_once = changes.looking(connection)
        db.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        with pytest.raises(psycopg.OperationalError):
            any_at_once([])


def test_behind_a_pooler_no_plan_of_a_look_is_kept(db: psycopg.Connection, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True, prepare_threshold=None) as connection:
        any_at_once = changes.looking(connection)
        assert not any_at_once([])
        add_tenant(db, "a")
        assert any_at_once([])
        assert not any_at_once(changes.due_tenants(connection, 10)["a"].ids)
        assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


def test_the_plan_that_is_kept_uses_the_index_although_it_was_made_for_an_empty_table(
    db: psycopg.Connection, database_url: str
) -> None:
    db.execute("VACUUM ANALYZE dashboard.change")
    with psycopg.connect(database_url, autocommit=True, options=options(SESSION)) as connection:
        any_at_once = changes.looking(connection)
        for _ in range(10):
            any_at_once([])
            changes.due_tenants(connection, 10)
        db.execute(
            "INSERT INTO dashboard.change (tenant_id, due_at) SELECT n, 'infinity' FROM generate_series(1, 2000) AS n"
        )
        statements = connection.execute("SELECT name, generic_plans FROM pg_prepared_statements").fetchall()
        assert len(statements) == 2
        for name, generic_plans in statements:
            assert generic_plans
            plan = connection.execute(SQL("EXPLAIN EXECUTE {} (NULL)").format(Identifier(name))).fetchall()
            assert any("change_due" in line for (line,) in plan)


def test_days_of_known_zones_roll_without_a_look_for_new_ones_which_roll_when_they_are_found(
    db: psycopg.Connection,
) -> None:
    add_tenant(db, "known", timezone="UTC")
    noted(db)
    assert changes.roll_days(db, datetime(2026, 3, 10, tzinfo=UTC)) == 1
    add_tenant(db, "new", timezone="Pacific/Kiritimati")
    noted(db)
    assert changes.roll_days(db, datetime(2026, 3, 11, tzinfo=UTC), new_zones=False) == 1
    assert changes.roll_days(db, datetime(2026, 3, 11, tzinfo=UTC), new_zones=False) == 0
    # Where nobody lives any more a day rolls, too, and makes nobody due.
    db.execute("DELETE FROM dashboard.tenant WHERE tenant_id = 'known'")
    assert changes.roll_days(db, datetime(2026, 3, 12, tzinfo=UTC), new_zones=False) == 0
    assert changes.roll_days(db, datetime(2026, 3, 12, tzinfo=UTC)) == 1


def test_nobody_waits_at_midnight_where_nobody_ever_does(db: psycopg.Connection) -> None:
    add_tenant(db, "a")
    noted(db)
    changes.roll_days(db, datetime(2026, 3, 10, tzinfo=UTC), hot=lambda: ["a"], delay_s=0)
    assert list(changes.due_tenants(db, 10)) == ["a"]


def test_a_change_for_everyone_waits_only_where_nobody_looks(db: psycopg.Connection) -> None:
    add_tenant(db, "hot")
    add_tenant(db, "cold")
    noted(db)
    db.execute("TRUNCATE dashboard.fx_rate")
    changes.expand_everyone(db, hot=["hot"], delay_s=3600)
    assert list(changes.due_tenants(db, 10)) == ["hot"]


def test_changes_of_a_tenant_wait_for_one_turn_and_are_settled_by_any_computation(db: psycopg.Connection) -> None:
    add_tenant(db, "a")
    changes.defer(db, ["a"], 3600)
    db.execute("UPDATE dashboard.tenant SET name = 'new' WHERE tenant_id = 'a'")
    assert list(changes.due_tenants(db, 10)) == ["a"]
    changes.defer(db, ["a"], 3600)
    assert db.execute("SELECT count(*), count(DISTINCT due_at) FROM dashboard.change").fetchone() == (2, 1)
    assert list(changes.due_tenants(db, 10)) == []
    changes.settle(db, changes.pending(db, ["a"])["a"])
    assert noted(db) == []
