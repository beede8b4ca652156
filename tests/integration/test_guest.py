"""A guest that harms no writer: whose rights capture runs at, and what a host may do without being failed by it."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg
import pytest
from psycopg import IsolationLevel

from cli.local.embedded import Postgres
from tests.postgres import server, versions
from tests.rows import add_tenant
from tests.servers import eventually
from workers.capture.gaps import capture_gaps
from workers.database import make_engine
from workers.migrate import migrate

DAY = date(2026, 3, 10)
WRITER = "app_writer"


@pytest.fixture(scope="module", params=versions())
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A migrated server with two-phase commit and logical replication, and a role that owns and may do nothing."""
    with tempfile.TemporaryDirectory(prefix="daybook-guest-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        found = server(request.param, Path(folder))
        found.start()
        try:
            engine = make_engine(found.url())
            migrate(engine)
            engine.dispose()
            with psycopg.connect(found.url(), autocommit=True) as connection:
                connection.execute(f"CREATE ROLE {WRITER} LOGIN")
            yield found
        finally:
            found.stop()


@pytest.fixture
def guest_url(postgres: Postgres) -> str:
    """A migrated database of the test's own."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres.url("template1"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE postgres")
    return postgres.url(name)


@pytest.fixture
def host(guest_url: str) -> Iterator[psycopg.Connection]:
    """The host's owner, with a table of orders that the writer may write."""
    with psycopg.connect(guest_url, autocommit=True) as connection:
        connection.execute(
            f"""
            CREATE SCHEMA billing;
            CREATE TABLE billing.orders (company_id text, amount integer, seen_at timestamptz);
            GRANT USAGE ON SCHEMA billing TO {WRITER};
            GRANT INSERT, SELECT, UPDATE, DELETE, TRUNCATE ON billing.orders TO {WRITER};
            SELECT dashboard.track_changes('billing.orders', 'company_id');
            """
        )
        yield connection


@contextmanager
def writing_as(role: str, url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url.replace("//daybook@", f"//{role}@"), autocommit=True) as connection:
        yield connection


def noted(db: psycopg.Connection) -> list[str]:
    """The pending changes, one tenant id a row; forgotten thereafter."""
    rows = db.execute("DELETE FROM dashboard.change RETURNING tenant_id").fetchall()
    return sorted(tenant_id for (tenant_id,) in rows)


# Rights


def test_a_writer_needs_no_rights_on_the_schema(host: psycopg.Connection, guest_url: str) -> None:
    with writing_as(WRITER, guest_url) as writer:
        for statement, expected in (
            ("INSERT INTO billing.orders VALUES ('one', 1), ('two', 2)", ["one", "two"]),
            ("UPDATE billing.orders SET company_id = 'three' WHERE amount = 1", ["one", "three"]),
            ("DELETE FROM billing.orders WHERE company_id = 'two'", ["two"]),
            ("TRUNCATE billing.orders", ["*"]),
        ):
            writer.execute(statement)
            assert noted(host) == expected
        for attempt in ("SELECT * FROM dashboard.change", "INSERT INTO dashboard.change (tenant_id) VALUES ('one')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                writer.execute(attempt)


SPY = """
    CREATE TABLE whoami_seen (who name);
    GRANT INSERT ON whoami_seen TO PUBLIC;
    CREATE FUNCTION billing.spy(value anyelement) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.whoami_seen VALUES (current_user); RETURN true; END $$;
"""


def test_names_that_a_writer_hides_behind_run_at_its_own_rights_only(host: psycopg.Connection, guest_url: str) -> None:
    host.execute(SPY)
    with writing_as(WRITER, guest_url) as writer:
        # Types, tables and settings of the writer's own session, named as what capture uses.
        writer.execute("CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (billing.spy(VALUE))")
        writer.execute("CREATE TEMP TABLE change (id integer, tenant_id pg_temp.text)")
        writer.execute("CREATE TEMP TABLE rows_after (company_id pg_temp.text)")
        writer.execute("SET search_path = pg_temp, public")
        writer.execute("INSERT INTO billing.orders VALUES ('one', 1)")
        writer.execute("UPDATE billing.orders SET amount = 2")
        writer.execute("DELETE FROM billing.orders")
        writer.execute("TRUNCATE billing.orders")
    assert noted(host) == ["*", "one", "one", "one"]
    assert {who for (who,) in host.execute("SELECT who FROM whoami_seen")} <= {WRITER}


@pytest.mark.parametrize(
    "expression", ["company", "billing.named(company)", "pg_catalog.concat(changed_row.company::text)"]
)
def test_casts_and_functions_of_the_host_run_at_the_writers_rights(
    host: psycopg.Connection, guest_url: str, expression: str
) -> None:
    host.execute(SPY)
    host.execute(
        f"""
        CREATE TYPE billing.company AS ENUM ('one', 'two');
        CREATE FUNCTION billing.named(company billing.company) RETURNS text LANGUAGE plpgsql AS
            $$ BEGIN PERFORM billing.spy(1); RETURN CASE company WHEN 'one' THEN '1' ELSE '2' END; END $$;
        CREATE CAST (billing.company AS text) WITH FUNCTION billing.named;
        CREATE TABLE billing.typed (company billing.company);
        GRANT INSERT ON billing.typed TO {WRITER};
        SELECT dashboard.track_changes('billing.typed', '{expression}');
        TRUNCATE whoami_seen;
        """
    )
    with writing_as(WRITER, guest_url) as writer:
        writer.execute("INSERT INTO billing.typed VALUES ('two')")
    assert noted(host) == ["2"]
    assert {who for (who,) in host.execute("SELECT who FROM whoami_seen")} == {WRITER}


def test_what_a_writer_leaves_in_the_settings_fails_nothing_and_hides_nothing(
    host: psycopg.Connection, guest_url: str
) -> None:
    with writing_as(WRITER, guest_url) as writer:
        for setting in ("no array", "{a", "{}", "", "{two}"):
            writer.execute("SELECT set_config('dashboard.changed', %s, false)", [setting])
            writer.execute("SET extra_float_digits = -15")
            writer.execute("INSERT INTO billing.orders VALUES ('one', 1)")
            assert {"one", "*"} & set(noted(host))


def test_only_the_owner_may_attach_or_call_what_captures(host: psycopg.Connection, guest_url: str) -> None:
    host.execute(f"GRANT USAGE ON SCHEMA dashboard TO {WRITER}")
    (seeing,) = host.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'see_change%' LIMIT 1").fetchone() or ("",)
    with writing_as(WRITER, guest_url) as stranger:
        stranger.execute("CREATE TEMP TABLE own (company_id text)")
        for attempt in (
            "CREATE TRIGGER t AFTER INSERT ON own FOR EACH STATEMENT EXECUTE FUNCTION dashboard.note_change()",
            f"CREATE TRIGGER t AFTER INSERT ON own FOR EACH STATEMENT EXECUTE FUNCTION dashboard.{seeing}('SELECT 1')",
            "SELECT dashboard.track_changes('own', 'company_id')",
            "SELECT dashboard.untrack_changes('billing.orders')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                stranger.execute(attempt)


def test_every_function_at_other_rights_is_closed(host: psycopg.Connection) -> None:
    functions = host.execute(
        """SELECT proname, prosecdef, proconfig, has_function_privilege('app_writer', oid, 'EXECUTE')
        FROM pg_proc WHERE pronamespace = 'dashboard'::regnamespace"""
    ).fetchall()
    # Whatever else is there computes at its caller's rights.
    capture = {
        "track_changes",
        "untrack_changes",
        "columns_of",
        "with_parts",
        "columns_read",
        "row_that_counts",
        "days_of",
        "function_that_sees",
        "forget_unused",
    }
    names = {name for name, *_ in functions}
    capture |= {name for name in names if name.startswith("see_change")}
    assert capture <= names
    assert len(capture) > 20, "each question has a function"
    assert not {name for name, definer, _, anyone in functions if anyone and (definer or name in capture)}
    definers = {name: config for name, definer, config, _ in functions if definer}
    assert definers == {"note_change": ["search_path=pg_catalog, pg_temp", "DateStyle=ISO"]}


# What a host's transactions are


def test_two_phase_commits_of_the_host_work_and_are_noted(host: psycopg.Connection, guest_url: str) -> None:
    with psycopg.connect(guest_url) as writer:
        writer.tpc_begin(writer.xid(1, uuid.uuid4().hex, "host"))
        add_tenant(writer, "two phases").invoice(DAY, 10)
        writer.execute("INSERT INTO billing.orders VALUES ('two phases', 1)")
        writer.tpc_prepare()
        assert noted(host) == []
        writer.tpc_commit()
    assert noted(host) == ["two phases"] * 3


@pytest.mark.parametrize("table", ["dashboard.client", "billing.orders"])
def test_serializable_writers_of_different_tenants_do_not_abort_each_other(
    host: psycopg.Connection, guest_url: str, table: str
) -> None:
    insert = f"INSERT INTO {table} SELECT %s" + (", '1'" if table == "dashboard.client" else "")
    for _ in range(3):
        with psycopg.connect(guest_url) as one, psycopg.connect(guest_url) as two:
            name = uuid.uuid4().hex
            for number, writer in enumerate((one, two)):
                writer.isolation_level = IsolationLevel.SERIALIZABLE
                writer.execute(insert, [f"{name} {number}"])
            one.commit()
            two.commit()
    assert len(noted(host)) == 6


@pytest.mark.parametrize(
    "migration",
    [
        "ALTER TABLE billing.orders RENAME company_id TO org_id",
        "ALTER TABLE billing.orders DROP company_id, ADD org_id text",
    ],
)
def test_a_host_that_renames_or_drops_what_names_the_tenant_goes_on_writing_and_everyone_is_due(
    host: psycopg.Connection, migration: str
) -> None:
    host.execute("INSERT INTO billing.orders VALUES ('one', 1)")
    noted(host)
    host.execute(migration)
    for statement in (
        "INSERT INTO billing.orders (org_id, amount) VALUES ('two', 2)",
        "UPDATE billing.orders SET amount = 3",
        "DELETE FROM billing.orders",
    ):
        host.execute(statement)
        assert noted(host) == ["*"]


def test_a_host_that_retypes_moves_or_renames_its_table_is_followed(host: psycopg.Connection) -> None:
    host.execute("INSERT INTO billing.orders VALUES ('1', 1)")
    host.execute("ALTER TABLE billing.orders ALTER company_id TYPE bigint USING company_id::bigint")
    noted(host)
    host.execute("UPDATE billing.orders SET amount = 2")
    assert noted(host) == ["1"]
    host.execute("ALTER TABLE billing.orders RENAME TO sales; ALTER TABLE billing.sales SET SCHEMA public")
    host.execute("INSERT INTO public.sales VALUES (2, 1)")
    assert noted(host) == ["2"]
    host.execute("DROP TABLE public.sales")


def test_capture_takes_no_transaction_ids_of_its_own(host: psycopg.Connection) -> None:
    """More than 64 subtransactions with ids in one transaction slow down everybody's snapshots."""
    with host.transaction():
        for number in range(10):
            host.execute("INSERT INTO billing.orders VALUES ('one', %s)", [number])
        before, after = host.execute(
            """SELECT xmin::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint
            FROM billing.orders LIMIT 1"""
        ).fetchone() or (0, 0)
    assert after - before <= 1


@pytest.fixture
def replicated(host: psycopg.Connection, postgres: Postgres) -> Iterator[psycopg.Connection]:
    """Another database, whose table billing.orders is replicated into the host's."""
    name, here = f"source_{uuid.uuid4().hex}", host.info
    host.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(postgres.url(name), autocommit=True) as source:
        source.execute("CREATE SCHEMA billing; CREATE TABLE billing.orders (company_id text, amount integer)")
        source.execute("CREATE PUBLICATION all_orders FOR TABLE billing.orders")
        # Made apart: on one server the subscription would wait for its own transaction to make it.
        source.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [name])
        host.execute(
            f"""CREATE SUBSCRIPTION {name} CONNECTION 'host={here.host} port={here.port} user=daybook dbname={name}'
            PUBLICATION all_orders WITH (create_slot = false, copy_data = false)"""
        )
        yield source
        host.execute(f"ALTER SUBSCRIPTION {name} DISABLE")
        host.execute(f"ALTER SUBSCRIPTION {name} SET (slot_name = NONE)")
        host.execute(f"DROP SUBSCRIPTION {name}")


def test_rows_that_are_replicated_arrive_and_are_said_to_go_unseen(
    host: psycopg.Connection, replicated: psycopg.Connection
) -> None:
    replicated.execute("INSERT INTO billing.orders VALUES ('one', 1)")
    eventually(lambda: host.execute("SELECT company_id FROM billing.orders").fetchall(), within_s=30)
    found = {gap.table: gap.detail for gap in capture_gaps(host)}
    assert "subscription" in found["billing.orders"]
    said: list[str] = []
    host.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
    host.execute("SELECT dashboard.track_changes('billing.orders', 'company_id')")
    assert any("subscription" in message for message in said)
