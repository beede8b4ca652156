"""The live demo writes rows that a host product could have written, until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from random import Random
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import Engine

from demo.live import BUSINESSES, Action, DemoNotLoaded, act, run
from demo.load import load_demo

COUNTS = """
SELECT (SELECT count(*) FROM dashboard.invoice) + (SELECT count(*) FROM dashboard.payment)
    + (SELECT count(*) FROM dashboard.expense) + (SELECT count(*) FROM dashboard.quote)
    + (SELECT count(*) FROM dashboard.quote WHERE status = 'accepted')
"""
# Only rows that the live demo wrote carry a UUID after the prefix of their kind.
NEW = "length({}) > 36"
UNSETTLED = """
SELECT i.invoice_id FROM dashboard.invoice i
WHERE i.kind = 'invoice' AND i.status = 'posted' AND i.tenant_id = 'demo' AND i.written_off_on IS NULL
AND i.balance <> i.total - coalesce((SELECT sum(CASE a.source_kind WHEN 'refund' THEN -a.amount ELSE a.amount END)
    FROM dashboard.allocation a WHERE (a.tenant_id, a.invoice_id) = (i.tenant_id, i.invoice_id)), 0)
"""


@pytest.fixture
def loaded(engine: Engine) -> Engine:
    load_demo(engine)
    return engine


@pytest.fixture
def actions(loaded: Engine) -> list[Action]:
    """A hundred things that happen in the tenant `demo`."""
    chance = Random(7)
    return [act(loaded, BUSINESSES["demo"], chance) for _ in range(100)]


def _one(db: psycopg.Connection, query: str, *values: object) -> object:
    row = db.execute(query, values).fetchone()
    assert row is not None
    return row[0]


def test_every_action_is_committed_when_it_is_handed_out(loaded: Engine, db: psycopg.Connection) -> None:
    before = _one(db, COUNTS)
    for number, action in enumerate(islice(run(loaded, interval_s=0, stop=threading.Event(), seed=1), 30), start=1):
        assert action.kind != "waiting"
        assert _one(db, COUNTS) == before + number  # type: ignore[operator]


def test_everything_that_can_happen_happens(loaded: Engine) -> None:
    chance = Random(7)
    awaited = {"invoice", "payment", "expense", "quote", "in part", "accepts", "offered"}
    for _ in range(1000):
        action = act(loaded, BUSINESSES["demo"], chance)
        assert action.tenant_id == "demo"
        assert action.amount
        awaited -= {action.kind, *(words for words in awaited if words in action.what)}
        if not awaited:
            break
    assert awaited == set()


def test_line_of_an_action_says_who_what_and_how_much(actions: list[Action]) -> None:
    sale = next(action for action in actions if action.kind == "invoice" and action.currency == "USD")
    assert str(sale) == f"{sale.at:%H:%M:%S}  demo     invoice  {sale.what}  USD {sale.amount:,}"


@pytest.mark.usefixtures("actions")
def test_balances_follow_the_payments(db: psycopg.Connection) -> None:
    assert db.execute(UNSETTLED).fetchall() == []
    closed = _one(
        db,
        "SELECT count(*) FROM dashboard.invoice i JOIN dashboard.allocation a USING (tenant_id, invoice_id) "
        f"WHERE i.balance = 0 AND {NEW.format('a.allocation_id')}",
    )
    assert closed > 10  # type: ignore[operator]


def test_rows_are_dated_today_in_the_tenants_zone(loaded: Engine, db: psycopg.Connection) -> None:
    before = datetime.now(UTC)
    chance = Random(3)
    for tenant_id in ("tonga", "demo"):
        for _ in range(20):
            act(loaded, BUSINESSES[tenant_id], chance)
    for tenant_id in ("tonga", "demo"):
        zone = ZoneInfo(BUSINESSES[tenant_id].timezone)
        today = {moment.astimezone(zone).date() for moment in (before, datetime.now(UTC))}
        days = db.execute(
            f"SELECT issue_date FROM dashboard.invoice WHERE tenant_id = %(t)s AND {NEW.format('invoice_id')} "
            f"UNION SELECT paid_on FROM dashboard.payment WHERE tenant_id = %(t)s AND {NEW.format('payment_id')} "
            f"UNION SELECT expense_date FROM dashboard.expense WHERE tenant_id = %(t)s AND {NEW.format('expense_id')}",
            {"t": tenant_id},
        ).fetchall()
        assert days
        assert {day for (day,) in days} <= today


def test_it_ends_when_told_to(loaded: Engine) -> None:
    stop = threading.Event()
    moving: Iterator[Action] = run(loaded, interval_s=60, stop=stop, seed=1)
    next(moving)
    stop.set()
    assert list(moving) == []


def test_a_lost_connection_is_waited_out(loaded: Engine, db: psycopg.Connection) -> None:
    moving = run(loaded, interval_s=0, stop=threading.Event(), seed=1)
    next(moving)
    db.execute(
        # The server is every test's, the database is this one's.
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert any(action.kind != "waiting" for action in islice(moving, 3))


def test_rates_are_kept_up_while_it_runs(loaded: Engine, db: psycopg.Connection) -> None:
    db.execute("DELETE FROM dashboard.fx_rate WHERE tenant_id = '*'")
    next(run(loaded, stop=threading.Event(), seed=1))
    assert _one(db, "SELECT max(rate_date) >= current_date - 2 FROM dashboard.fx_rate WHERE tenant_id = '*'") is True


@pytest.mark.parametrize("tenants", [("nobody",), ("demo", "xero-demo"), ()])
def test_tenants_that_are_not_made_up_are_refused(loaded: Engine, tenants: tuple[str, ...]) -> None:
    with pytest.raises(DemoNotLoaded):
        next(run(loaded, tenants=tenants, stop=threading.Event()))


def test_an_empty_database_is_refused(engine: Engine) -> None:
    with pytest.raises(DemoNotLoaded, match="demo"):
        next(run(engine, stop=threading.Event()))
