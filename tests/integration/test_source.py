"""What a load says as a whole: which tenants, as of which state of the database, at what cost, and what when it fails."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from shared.errors import SourceUnavailable
from shared.store import SourceState
from tests.rows import add_tenant
from tests.statements import Before, watched
from workers.database import make_engine
from workers.facts import Close
from workers.source import Source

Db = psycopg.Connection[Any]
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
TODAY = NOON.date()


def test_tenants_are_listed_in_the_order_of_their_ids(db: Db, engine: Engine) -> None:
    assert Source(engine).tenant_ids() == []
    for tenant_id in ("b", "a", "10"):
        add_tenant(db, tenant_id)
    assert Source(engine).tenant_ids() == ["10", "a", "b"]


def test_a_tenant_that_does_not_exist_is_reported_as_unknown(db: Db, engine: Engine) -> None:
    add_tenant(db, "here")
    loaded = Source(engine).load(["gone", "here", "gone", "here"])
    assert list(loaded.facts) == ["here"]
    assert loaded.unknown == {"gone"}
    assert Source(engine).load([]).facts == {}


def test_a_tenant_without_rows_has_empty_facts(db: Db, engine: Engine) -> None:
    add_tenant(db, "t1", name="New", fiscal_year_start_month=4)
    facts = Source(engine).load(["t1"], now=NOON).facts["t1"]
    assert not facts.has_documents
    assert (facts.tenant.name, facts.tenant.fiscal_year_start_month, facts.tenant.issues) == ("New", 4, ())
    assert (facts.invoices, facts.open_invoices, facts.credits, facts.closes) == ((), (), (), ())
    assert facts.activity.current == 0
    assert facts.links_known


@pytest.mark.parametrize("table", ["invoice", "payment", "expense", "quote"])
def test_any_document_of_any_age_makes_a_tenant_one_with_documents(db: Db, engine: Engine, table: str) -> None:
    rows = add_tenant(db)
    long_ago = date(2001, 1, 1)
    rows.invoice(long_ago, 5, status="draft")
    rows.expense(long_ago, 5, status="void")
    rows.payment(long_ago, 5, status="failed")
    rows.quote("draft", long_ago)
    rows.quote("void", long_ago)
    rows.recurring(TODAY, 5)
    assert not Source(engine).load(["t1"], now=NOON).facts["t1"].has_documents
    if table == "quote":
        rows.quote("sent", long_ago)
    else:
        getattr(rows, table)(long_ago, 5)
    assert Source(engine).load(["t1"], now=NOON).facts["t1"].has_documents


def test_the_number_of_statements_does_not_grow_with_the_tenants(db: Db, engine: Engine, statements: list[str]) -> None:
    ids = [f"t{n}" for n in range(30)]
    for tenant_id in ids:
        rows = add_tenant(db, tenant_id, basis="cash", timezone="Pacific/Tongatapu")
        invoice = rows.invoice(TODAY, 100, currency="EUR")
        rows.payment(TODAY, 50, on={invoice: 50}, currency="EUR")
    Source(engine).load(ids[:1], now=NOON)
    for_one = len(statements)
    assert len(Source(engine).load(ids, now=NOON).facts) == 30
    assert for_one == len(statements) - for_one < 20


def test_a_load_sees_one_state_of_the_database_and_cannot_write(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)

    def interfere(cursor: psycopg.Cursor[Any], statement: str, _: Any) -> None:
        # The opening, which names invoices as well, is what begins the state.
        if "dashboard.invoice" in statement and "dashboard.change" not in statement:
            rows.invoice(TODAY, 100)
            read_only = cursor.connection.execute("SHOW transaction_read_only").fetchone()
            assert read_only == ("on",)

    with watched(interfere):
        loaded = Source(engine).load(["t1"], now=NOON).facts["t1"]
    assert (loaded.invoices, loaded.has_documents) == ((), False)
    assert len(Source(engine).load(["t1"], now=NOON).facts["t1"].invoices) == 1


def test_the_moment_is_the_databases_unless_given(db: Db, engine: Engine) -> None:
    add_tenant(db)
    before = datetime.now(UTC) - timedelta(seconds=1)
    loaded = Source(engine).load(["t1"])
    assert before <= loaded.facts["t1"].clock.as_of <= datetime.now(UTC) + timedelta(seconds=1)
    assert loaded.state.as_of_ms == int(loaded.facts["t1"].clock.as_of.timestamp() * 1000)
    given = Source(engine).load(["t1"], now=NOON)
    assert given.facts["t1"].clock.as_of == NOON
    assert given.state.as_of_ms == NOON.timestamp() * 1000


def test_lineage_names_the_cluster_and_its_timeline(db: Db, engine: Engine) -> None:
    found = db.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    assert found is not None
    assert Source(engine).load([]).state.lineage == f"{found[0]}/1"


@pytest.mark.parametrize("seed", range(2))
def test_a_higher_state_has_seen_all_that_a_lower_one_has(database_url: str, engine: Engine, seed: int) -> None:
    """Transactions begin, write (in savepoints too) and end in any order; in between, the database is read."""
    dice = random.Random(seed)
    source, ids = Source(engine), [f"t{n}" for n in range(40)]
    unused, running, seen = list(ids), list[Db](), list[tuple[int, frozenset[str]]]()
    writers = [psycopg.connect(database_url) for _ in range(5)]
    for _ in range(80):
        before = source.load(ids, now=NOON).state.state
        idle = [writer for writer in writers if writer not in running]
        if idle and unused and dice.random() < 0.5:
            writer = dice.choice(idle)
            running.append(writer)
            if dice.random() < 0.5:
                add_tenant(writer, unused.pop())
            else:
                with writer.transaction():
                    writer.execute("SAVEPOINT one")
                    add_tenant(writer, unused.pop())
                    writer.execute("RELEASE one")
                running.remove(writer)
        elif running:
            writer = running.pop(dice.randrange(len(running)))
            dice.choice([writer.commit, writer.commit, writer.rollback])()
            assert source.load(ids, now=NOON).state.state > before
        loaded = source.load(ids, now=NOON)
        seen.append((loaded.state.state, frozenset(loaded.facts)))
    for writer in writers:
        writer.close()
    assert [state for state, _ in seen] == sorted(state for state, _ in seen)
    for (state, tenants), (later, later_tenants) in pairwise(seen):
        assert tenants <= later_tenants
        assert state < later or tenants == later_tenants


def test_an_open_transaction_is_not_counted_until_it_ends(database_url: str, db: Db, engine: Engine) -> None:
    source = Source(engine)
    with psycopg.connect(database_url) as slow:
        add_tenant(slow, "slow")
        add_tenant(db, "fast")
        while_open = source.load(["slow", "fast"], now=NOON)
        slow.commit()
    after = source.load(["slow", "fast"], now=NOON)
    assert (list(while_open.facts), list(after.facts)) == (["fast"], ["slow", "fast"])
    assert while_open.state.state < after.state.state


def test_an_ordinary_role_that_may_only_read_can_load(database_url: str, db: Db) -> None:
    add_tenant(db).invoice(TODAY, 100)
    role = f"reader_{uuid.uuid4().hex}"
    db.execute(f"CREATE ROLE {role} LOGIN")
    db.execute(f"GRANT USAGE ON SCHEMA dashboard TO {role}")
    db.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO {role}")
    reader = make_engine(database_url.replace("daybook@", f"{role}@"))
    try:
        assert len(Source(reader).load(["t1"], now=NOON).facts["t1"].invoices) == 1
    finally:
        reader.dispose()
        db.execute(f"DROP OWNED BY {role}")
        db.execute(f"DROP ROLE {role}")


def test_pending_changes_are_those_of_the_tenants_asked_for_and_settle(db: Db, engine: Engine) -> None:
    source = Source(engine)
    for tenant_id in ("a", "b"):
        add_tenant(db, tenant_id).invoice(TODAY, 1)
    pending = source.pending(["a", "quiet"])
    assert pending.keys() == {"a"}
    source.give_up(pending["a"])
    assert source.pending(["a", "b"]).keys() == {"b"}


def close(pending: int, *, amount: str | None = "10.5", day: date = TODAY) -> Close:
    return Close(
        day=day,
        pending=pending,
        pending_amount=Decimal(amount) if amount else None,
        overdue=0,
        overdue_amount=None,
        conversion=Decimal(1) / 3,
        active_clients=2,
    )


def state(number: int) -> SourceState:
    return SourceState(lineage="1/1", state=number, as_of_ms=0)


def kept(engine: Engine, tenant_id: str = "t1") -> list[Close]:
    return list(Source(engine).load([tenant_id], now=NOON).facts[tenant_id].closes)


def test_closes_are_kept_and_read_back(db: Db, engine: Engine) -> None:
    source = Source(engine)
    for tenant_id in ("t1", "t2"):
        add_tenant(db, tenant_id)
    yesterday = close(3, day=TODAY - timedelta(days=1), amount=None)
    source.keep_closes({"t2": close(7), "t1": yesterday}, state(5))
    source.keep_closes({"t1": close(4)}, state(6))
    source.keep_closes({}, state(7))
    assert kept(engine) == [yesterday, close(4)]
    assert kept(engine, "t2") == [close(7)]


def test_an_older_state_never_overwrites_a_close(db: Db, engine: Engine) -> None:
    source = Source(engine)
    add_tenant(db)
    source.keep_closes({"t1": close(4)}, state(10))
    source.keep_closes({"t1": close(1)}, state(9))
    assert kept(engine) == [close(4)]
    source.keep_closes({"t1": close(5)}, state(10))
    assert kept(engine) == [close(5)]


def test_an_unchanged_close_is_not_written_again(db: Db, engine: Engine) -> None:
    source = Source(engine)
    add_tenant(db)
    source.keep_closes({"t1": close(4)}, state(10))
    row = db.execute("SELECT ctid, xmin FROM dashboard.daily_close").fetchone()
    source.keep_closes({"t1": close(4)}, state(11))
    assert db.execute("SELECT ctid, xmin FROM dashboard.daily_close").fetchone() == row


def test_the_newest_closes_are_loaded_however_old_but_none_of_the_future(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.close(TODAY + timedelta(days=1))
    rows.close(TODAY - timedelta(days=400))
    assert [close.day for close in kept(engine)] == [TODAY - timedelta(days=400)]
    for age in range(50):
        rows.close(TODAY - timedelta(days=age))
    assert [close.day for close in kept(engine)] == [TODAY - timedelta(days=age) for age in range(40, -1, -1)]


def test_ping_takes_time(engine: Engine) -> None:
    assert 0 < Source(engine).ping() < 5000


def test_a_database_that_is_away_is_unavailable() -> None:
    away = make_engine("postgresql://daybook@127.0.0.1:1/nothing")
    source = Source(away)
    for ask in (source.ping, source.tenant_ids, lambda: source.load(["t1"]), lambda: source.pending(["t1"])):
        with pytest.raises(SourceUnavailable):
            ask()
    away.dispose()


def test_a_connection_that_is_cut_or_a_statement_that_is_cancelled_is_unavailable(db: Db, engine: Engine) -> None:
    add_tenant(db)
    source = Source(engine)

    def end(how: str) -> Before:
        def at_invoices(cursor: psycopg.Cursor[Any], statement: str, _: Any) -> None:
            if "dashboard.invoice" in statement:
                cursor.connection.execute("SET statement_timeout = '1ms'")
                if how == "cut":
                    db.execute("SELECT pg_terminate_backend(%s)", [cursor.connection.info.backend_pid])

        return at_invoices

    # Held by another transaction, the table keeps the statement waiting until its time is over.
    with psycopg.connect(db.info.dsn) as other:
        for how in ("cut", "cancelled"):
            other.execute("LOCK TABLE dashboard.invoice IN ACCESS EXCLUSIVE MODE")
            with watched(end(how)), pytest.raises(SourceUnavailable):
                source.load(["t1"], now=NOON)
            other.rollback()
    engine.dispose()
    assert list(source.load(["t1"], now=NOON).facts) == ["t1"]
