"""What a load costs PostgreSQL, in pages touched rather than in time: what is open and recent counts, history does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event

from tests.rows import add_tenant
from workers.source import Source

Db = psycopg.Connection[Any]
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
TODAY = NOON.date()
HISTORY = 200_000

# Old business, all of it settled: each invoice is paid in full, each expense is paid, each quote was decided or expired.
_HISTORY = """
    INSERT INTO dashboard.invoice (tenant_id, invoice_id, client_id, status, issue_date, due_date, currency, total, tax,
                                   balance)
    SELECT 'old', 'i' || n, 'c' || n % 500, 'posted', DATE '2020-01-01' + n % 1500, DATE '2020-01-31' + n % 1500,
           'EUR', 110, 10, 0
    FROM generate_series(1, %(history)s) n;
    INSERT INTO dashboard.payment (tenant_id, payment_id, client_id, status, paid_on, currency, amount)
    SELECT 'old', 'p' || n, 'c' || n % 500, 'succeeded', DATE '2020-01-20' + n % 1500, 'EUR', 110
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


@pytest.fixture
def history(db: Db) -> None:
    """The tenant `old`: years of settled business and a little that is open; `young` has the same little, no more."""
    for tenant_id in ("old", "young"):
        rows = add_tenant(db, tenant_id, basis="cash")
        for number in range(20):
            invoice = rows.invoice(TODAY, 100, balance=50, client_id=rows.client(f"c{number}"))
            rows.payment(TODAY, 60, on={invoice: 50})
            rows.expense(TODAY, 10, due_date=TODAY)
            rows.expense(TODAY, 10, paid_on=TODAY)
            rows.quote("sent", TODAY)
        rows.recurring(TODAY, 10)
    # A page is marked as all visible, so that an index suffices, once the commit of its rows is on disk.
    db.execute("SET synchronous_commit = on")
    for statement in _HISTORY.split(";"):
        db.execute(statement.replace("%(history)s", str(HISTORY)).encode())
    db.execute("VACUUM ANALYZE")  # as autovacuum does after a while


def plans(db: Db, engine: Engine, tenant_id: str) -> dict[str, dict[str, Any]]:
    """How PostgreSQL carries out each statement of a load: statement → plan, with actual rows and pages touched."""
    executed: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        executed.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    Source(engine).load([tenant_id], now=NOON)
    event.remove(engine, "before_cursor_execute", note)
    found = {}
    for statement, parameters in executed:
        row = db.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, parameters).fetchone()
        assert row is not None
        found[statement] = row[0][0]["Plan"]
    return found


def pages(plan: dict[str, Any]) -> int:
    """Pages that the plan touched, in memory or not."""
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The plan's nodes, all the way down."""
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


def sums_history(statement: str) -> bool:
    """Whether it is the statement for customer credit, which alone has to look at every payment (SPEC 4.6)."""
    return "by_source" in statement


@pytest.mark.usefixtures("history")
def test_a_long_history_costs_nothing_but_one_look_at_it_for_customer_credit(db: Db, engine: Engine) -> None:
    facts = Source(engine).load(["old", "young"], now=NOON).facts
    assert facts["old"].open_invoices == facts["young"].open_invoices
    assert facts["old"].credits == facts["young"].credits

    # A tenant pays nothing for the history of another…
    old, young = plans(db, engine, "old"), plans(db, engine, "young")
    assert sum(pages(plan) for plan in young.values()) < 3000

    # …nor for its own…
    assert old.keys() == young.keys()
    for statement, plan in old.items():
        if sums_history(statement):
            continue
        # A taller index has a few more pages on the way down.
        assert pages(plan) <= pages(young[statement]) * 2 + 20, statement
        assert max(node["Actual Rows"] for node in nodes(plan)) < 1000, statement

    # …but for customer credit, which goes over it once for each side, in the order of covering indexes: many rows to a
    # page, where looking each of them up would cost several pages a row.
    (credit,) = [plan for statement, plan in old.items() if sums_history(statement)]
    assert pages(credit) < HISTORY / 10
    on_allocations = [node for node in nodes(credit) if node.get("Relation Name") == "allocation"]
    wide = [node for node in on_allocations if node["Actual Rows"] * node["Actual Loops"] > 1000]
    assert {node["Index Name"] for node in wide} == {"allocation_invoice", "allocation_source"}
    assert all(node["Node Type"] == "Index Only Scan" for node in wide)
    assert not any(node["Node Type"] == "Sort" and node["Actual Rows"] > 1000 for node in nodes(credit))
