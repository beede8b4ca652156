"""What a load costs PostgreSQL, in pages touched rather than in time: what is open and recent counts, history does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from tests.rows import add_tenant
from tests.statements import explained, watched
from workers.database import autocommit
from workers.source import Source

Db = psycopg.Connection[Any]
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
TODAY = NOON.date()
# So many that going over one table of it stands out from what the rest of a load touches.
HISTORY = 50_000

# Old business, all of it settled: each invoice is paid in full, each expense is paid, each quote was decided or expired.
_HISTORY = """
    INSERT INTO dashboard.invoice (tenant_id, invoice_id, client_id, status, issue_date, due_date, currency, total, tax,
                                   balance)
    SELECT 'old', 'i' || n, 'c' || n % 500, 'posted', DATE '2020-01-01' + n % 1500, DATE '2020-01-31' + n % 1500,
           'EUR', 110, 10, 0
    FROM generate_series(1, %(history)s) n;
    INSERT INTO dashboard.payment (tenant_id, payment_id, client_id, status, paid_on, currency, amount, unapplied)
    SELECT 'old', 'p' || n, 'c' || n % 500, 'succeeded', DATE '2020-01-20' + n % 1500, 'EUR', 110, 0
    FROM generate_series(1, %(history)s) n;
    INSERT INTO dashboard.allocation (tenant_id, allocation_id, source_kind, source_id, invoice_id, amount)
    SELECT 'old', 'a' || n, 'payment', 'p' || n, 'i' || n, 110
    FROM generate_series(1, %(history)s) n;
    INSERT INTO dashboard.expense (tenant_id, expense_id, status, expense_date, due_date, paid_on, currency, total, tax)
    SELECT 'old', 'e' || n, 'posted', DATE '2020-01-01' + n % 1500, DATE '2020-01-31' + n % 1500,
           DATE '2020-01-20' + n % 1500, 'USD', 11, 1
    FROM generate_series(1, %(history)s / 4) n;
    INSERT INTO dashboard.quote (tenant_id, quote_id, status, issue_date, expiry_date, currency, total)
    SELECT 'old', 'q' || n, (ARRAY['sent', 'accepted', 'declined', 'draft', 'void'])[1 + n % 5],
           DATE '2020-01-01' + n % 1500, DATE '2020-01-31' + n % 1500, 'USD', 11
    FROM generate_series(1, %(history)s / 4) n
"""


# A host that leaves it to us to find out what is left over…
_UNAPPLIED_LEFT_OUT = "UPDATE dashboard.payment SET unapplied = NULL"

# …and what is open as well; an invoice in a hundred is overpaid, and part of that refunded.
_ALL_LEFT_OUT = """
    UPDATE dashboard.invoice SET balance = NULL;
    UPDATE dashboard.payment SET unapplied = NULL;
    UPDATE dashboard.invoice SET total = 108 WHERE tenant_id = 'old' AND total = 110 AND right(invoice_id, 2) = '00';
    INSERT INTO dashboard.payment (tenant_id, payment_id, kind, status, paid_on, currency, amount)
    SELECT 'old', 'r' || n, 'refund', 'succeeded', DATE '2025-01-01', 'EUR', 1 FROM generate_series(100, %(history)s, 100) n;
    INSERT INTO dashboard.allocation (tenant_id, allocation_id, source_kind, source_id, invoice_id, amount)
    SELECT 'old', 'b' || n, 'refund', 'r' || n, 'i' || n, 1 FROM generate_series(100, %(history)s, 100) n
"""

_NOTHING_TOLD = """
    UPDATE dashboard.invoice SET balance = NULL;
    UPDATE dashboard.payment SET unapplied = NULL;
    DELETE FROM dashboard.change
"""


def fill(db: Db, *scripts: str) -> None:
    """The tenant `old`: years of settled business and a little that is open; `young` has the same little, no more."""
    for tenant_id in ("old", "young"):
        rows = add_tenant(db, tenant_id, basis="cash")
        rows.close(TODAY - timedelta(days=1))  # on its first day, a tenant costs more
        for number in range(20):
            invoice = rows.invoice(TODAY, 100, balance=50, client_id=rows.client(f"c{number}"))
            rows.payment(TODAY, 60, on={invoice: 50}, unapplied=10)
            rows.expense(TODAY, 10, due_date=TODAY)
            rows.expense(TODAY, 10, paid_on=TODAY)
            rows.quote("sent", TODAY)
        rows.recurring(TODAY, 10)
    # A page is marked as all visible, so that an index suffices, once the commit of its rows is on disk.
    db.execute("SET synchronous_commit = on")
    for statement in ";".join(scripts).split(";"):
        db.execute(statement.replace("%(history)s", str(HISTORY)).encode())
    db.execute("VACUUM ANALYZE")  # as autovacuum does after a while


def plans(
    engine: Engine, tenant_id: str, ask: Callable[[Source, str], object] = lambda source, t: source.load([t], now=NOON)
) -> dict[str, dict[str, Any]]:
    """How PostgreSQL carries out each statement of a load (or what else is asked for): statement → plan, with actual rows
    and pages touched."""
    executed: list[tuple[type[psycopg.Cursor[Any]], str, Any]] = []
    with watched(lambda cursor, statement, parameters: executed.append((type(cursor), statement, parameters))):
        ask(Source(engine), tenant_id)
    with autocommit(engine) as connection:  # which plans in its own way
        return {
            statement: explained(kind(connection), "ANALYZE, BUFFERS", statement, parameters)
            for kind, statement, parameters in executed
        }


def ask_for_touched(source: Source, tenant_id: str) -> None:
    """For what changed any of twelve months today."""
    facts = source.load([tenant_id], now=NOON).facts[tenant_id]
    firsts = [date(2025, month, 1) for month in range(1, 13)]
    source.touched_documents(facts, {f"{first:%Y-%m}": (first, first + timedelta(days=27)) for first in firsts})


def pages(plan: dict[str, Any]) -> int:
    """Pages that the plan touched, in memory or not."""
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The plan's nodes, all the way down."""
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


def adds_up_links(statement: str) -> bool:
    """Whether it is the statement that finds out what is open and left over, if the host does not say (SPEC 4.6)."""
    return "doubtful_source" in statement


def test_a_long_history_costs_nothing_where_the_host_says_what_is_open_and_unapplied(db: Db, engine: Engine) -> None:
    fill(db, _HISTORY)
    facts = Source(engine).load(["old", "young"], now=NOON).facts
    assert set(facts["old"].open_invoices) == set(facts["young"].open_invoices)
    assert set(facts["old"].credits) == set(facts["young"].credits)

    # A tenant pays nothing for the history of another…
    old, young = plans(engine, "old"), plans(engine, "young")
    assert sum(pages(plan) for plan in young.values()) < 1400

    # …nor for its own.
    assert old.keys() == young.keys()
    assert not any(map(adds_up_links, old))
    for statement, plan in old.items():
        # A taller index has a few more pages on the way down.
        assert pages(plan) <= pages(young[statement]) * 2 + 40, statement
        assert max(node["Actual Rows"] for node in nodes(plan)) < 1000, statement

    # Every index is entered at the tenant's rows.
    every = [node for plan in young.values() for node in nodes(plan)]
    entered = [node for node in every if "Index Name" in node and node.get("Relation Name") != "pg_attribute"]
    assert all("tenant_id" in node.get("Index Cond", "") for node in entered)

    # What was written today into closed months is found without what was not.
    old, young = plans(engine, "old", ask_for_touched), plans(engine, "young", ask_for_touched)
    (statement,) = [one for one in old if "months AS MATERIALIZED" in one]
    assert pages(old[statement]) <= pages(young[statement]) * 2 + 40

    # Documents in base currency look for no rate.
    rates = [node for plan in young.values() for node in nodes(plan) if node.get("Relation Name") == "fx_rate"]
    assert rates
    assert {node["Actual Loops"] for node in rates} == {0}


@pytest.mark.parametrize("waiting", ["20,000, of which no statistics tell", "none yet"])
def test_no_plan_reads_pending_changes_of_others(db: Db, engine: Engine, waiting: str) -> None:
    """Plans are kept with their connection: one is as likely to be made while nothing waits."""
    fill(db, _NOTHING_TOLD)
    if waiting == "none yet":
        db.execute("VACUUM ANALYZE dashboard.change")
    else:
        db.execute(
            "INSERT INTO dashboard.change (tenant_id, named_documents) "
            "SELECT 'other ' || n % 5000, '{}' FROM generate_series(1, 20000) n"
        )
    made = plans(engine, "young")
    read = [node for plan in made.values() for node in nodes(plan) if node.get("Relation Name") == "change"]
    assert len(read) > 3
    for node in read:
        assert "tenant_id" in node.get("Recheck Cond", node.get("Index Cond", "")), node


def test_what_is_due_for_longest_is_found_at_the_first_look_whatever_waits_for_its_turn(db: Db, engine: Engine) -> None:
    waiting = "INSERT INTO dashboard.change (tenant_id, due_at) SELECT n, %s::timestamptz FROM generate_series(1, %s) n"
    db.execute(waiting, ["infinity", 20_000])
    assert Source(engine).oldest_change() is None

    db.execute(waiting, [NOON, 1000])
    waited = db.execute("SELECT min(id) FROM dashboard.change WHERE due_at = %s", [NOON]).fetchone()
    db.execute(waiting, [None, 1000])
    assert (Source(engine).oldest_change(),) == waited
    (plan,) = plans(engine, "", lambda source, _: source.oldest_change()).values()
    assert max(node["Actual Rows"] for node in nodes(plan)) == 1

    db.execute("DELETE FROM dashboard.change WHERE due_at IS NOT NULL")
    at_once = db.execute("SELECT min(id) FROM dashboard.change").fetchone()
    assert (Source(engine).oldest_change(),) == at_once


def test_a_rate_is_looked_up_once_for_each_document_that_needs_one(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    db.execute(
        "INSERT INTO dashboard.fx_rate (currency, base_currency, rate_date, rate) VALUES ('EUR', 'USD', %s, 2)", [TODAY]
    )
    for _ in range(3):
        rows.invoice(TODAY, 110, tax=10, currency="EUR", balance=0)
        rows.payment(TODAY, 110, currency="EUR", unapplied=0)
        rows.expense(TODAY, 11, tax=1, currency="EUR", paid_on=TODAY - timedelta(days=90))
        rows.quote("accepted", TODAY, total=10, currency="EUR")
    loops = [
        node["Actual Loops"]
        for plan in plans(engine, "t1").values()
        for node in nodes(plan)
        if node.get("Relation Name") == "fx_rate"
    ]
    assert sorted(loops, reverse=True)[:5] == [3, 3, 3, 3, 0]


def test_what_is_left_over_is_found_in_two_looks_at_a_long_history(db: Db, engine: Engine) -> None:
    fill(db, _HISTORY, _UNAPPLIED_LEFT_OUT)
    facts = Source(engine).load(["old", "young"], now=NOON).facts
    assert set(facts["old"].open_invoices) == set(facts["young"].open_invoices)
    assert set(facts["old"].credits) == set(facts["young"].credits)
    two_looks_suffice(engine, followed=20)


def test_what_is_open_and_left_over_is_found_in_two_looks_at_a_long_history(db: Db, engine: Engine) -> None:
    fill(db, _HISTORY, _ALL_LEFT_OUT)
    (facts,) = Source(engine).load(["old"], now=NOON).facts.values()
    assert sum(group.documents for group in facts.open_invoices) == 20
    # 2 beyond each total, 1 of it refunded.
    assert sum(group.amount for group in facts.credits if group.currency == "EUR") == HISTORY // 100
    assert sum(group.amount for group in facts.credits if group.currency == "USD") == 200
    two_looks_suffice(engine, followed=HISTORY // 100 + 20)


def test_what_is_written_down_as_not_settled_is_all_that_is_looked_at_of_a_long_history(db: Db, engine: Engine) -> None:
    fill(db, _HISTORY, _NOTHING_TOLD)
    source = Source(engine, enough_allocations=0)
    whole = source.load(["old"], now=NOON)
    for tenant_id in ("old", "young"):
        source.keep_unsettled([tenant_id], now=NOON)
    facts = source.load(["old", "young"], now=NOON).facts
    assert facts["old"].open_invoices == whole.facts["old"].open_invoices
    assert set(facts["old"].open_invoices) == set(facts["young"].open_invoices)
    assert set(facts["old"].credits) == set(facts["young"].credits)
    old, young = plans(engine, "old"), plans(engine, "young")
    for statement, plan in old.items():
        assert pages(plan) <= pages(young[statement]) * 2 + 40, statement
        assert max(node["Actual Rows"] for node in nodes(plan)) < 1000, statement


def two_looks_suffice(engine: Engine, *, followed: int) -> None:
    """Allocations are gone over once for each side, in the order of covering indexes: many rows to a page, where looking
    each of them up would cost several pages a row. `followed`: how many targets may be looked at closely all the same."""
    (links,) = [plan for statement, plan in plans(engine, "old").items() if adds_up_links(statement)]
    assert pages(links) < HISTORY / 10 + 60 * followed
    wide = [node for node in nodes(links) if node["Actual Rows"] * node["Actual Loops"] > 3 * followed + 1000]
    on_allocations = [node for node in wide if node.get("Relation Name") == "allocation"]
    assert {node["Index Name"] for node in on_allocations} == {"allocation_invoice", "allocation_source"}
    assert {node["Node Type"] for node in on_allocations} == {"Index Only Scan"}
    assert len(on_allocations) == 2
    assert not any(node["Node Type"] == "Sort" for node in wide)
    # A nested loop reads a table tenant by tenant: none is over more than one row of its first side.
    loops = [node for node in wide if node["Node Type"] == "Nested Loop"]
    assert all(node["Plans"][0]["Actual Rows"] == 1 for node in loops)
    for plan in plans(engine, "young").values():
        assert max(node["Actual Rows"] for node in nodes(plan)) < 1000
