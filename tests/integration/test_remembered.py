"""What a process remembers of a tenant is told again as long as the database says the same, and not a moment longer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import redis
from sqlalchemy import Engine

from shared.keys import Keys
from shared.store import SnapshotReader, SnapshotWriter, Stored
from tests.days import today
from tests.rows import Rows, add_tenant
from workers.alerts import AlertKeeper
from workers.recalculate import recalculate
from workers.remembered import STAYS_S, Memory
from workers.source import Loaded, Source

NOON = datetime.combine(today(), datetime.min.time(), UTC) + timedelta(hours=12)
LATER = NOON + timedelta(hours=2)


class SourceAt(Source):
    """The source at a moment of the test's choosing; it keeps what it loaded last."""

    now = NOON
    loaded: Loaded

    def load(self, tenant_ids: Any, *, now: datetime | None = None, **asked: Any) -> Loaded:
        self.loaded = super().load(tenant_ids, now=now or self.now, **asked)
        return self.loaded


class Process:
    """What computes tenants, and remembers them or not."""

    def __init__(self, engine: Engine, client: redis.Redis, keys: Keys) -> None:
        self.source, self.memory = SourceAt(engine), Memory()
        self.writer, self.reader = SnapshotWriter(client, keys), SnapshotReader(client, keys)
        self.alerts = AlertKeeper(engine, client, keys)

    def compute(self, *tenant_ids: str, at: datetime = NOON) -> set[str]:
        """Compute the tenants at that moment; who of them was told again."""
        self.source.now = at
        outcomes = recalculate(
            tenant_ids,
            source=self.source,
            writer=self.writer,
            alerts=self.alerts,
            memory=self.memory,
            now=lambda: self.source.now,
        )
        assert {outcome.status for outcome in outcomes} <= {"changed", "unchanged"}
        return set(self.source.loaded.unchanged)

    def settle(self, *tenant_ids: str) -> None:
        """Compute them until nothing is new to the database any more."""
        while self.compute(*tenant_ids) < set(tenant_ids):
            pass

    def shown(self, tenant_id: str) -> Stored:
        return self.reader.read(tenant_id)


@pytest.fixture
def process(engine: Engine, valkey: redis.Redis, keys: Keys) -> Process:
    return Process(engine, valkey, keys)


@pytest.fixture
def another(engine: Engine, valkey: redis.Redis, keys: Keys) -> Process:
    """One that remembers nothing of what `process` did."""
    return Process(engine, valkey, keys)


@pytest.fixture
def rows(db: psycopg.Connection[Any]) -> Rows:
    return business(db, "t1")


def business(db: psycopg.Connection[Any], tenant_id: str, **columns: Any) -> Rows:
    """A tenant with some of everything, whose first day is over."""
    rows = add_tenant(db, tenant_id, **columns)
    for number in range(9):
        day = today() - timedelta(days=number)
        rows.client(f"c{number}", name=f"Client {number}")
        rows.invoice(day, 100 + number, client_id=f"c{number}", currency="EUR" if number % 3 else "USD")
        rows.invoice(day - timedelta(days=40), 50, client_id=f"c{number}", reference=f"R-{number}")
        rows.payment(day, 20 + number, client_id=f"c{number}", on={})
        rows.expense(day, 5, category=f"Kind {number % 4}", paid_on=day, vendor=None)
        rows.quote("sent", day, 70)
    rows.expense(today(), 5000)
    rows.rate("EUR", today() - timedelta(days=1), "1.1")
    rows.close(today() - timedelta(days=1), pending=3, overdue=1)
    return rows


def test_a_quiet_tenant_is_told_again_as_it_would_be_computed(process: Process, another: Process, rows: Rows) -> None:
    process.settle("t1")
    before = process.shown("t1")
    assert process.compute("t1", at=LATER) == {"t1"}
    told = process.shown("t1")
    assert another.compute("t1", at=LATER) == set()
    assert told == another.shown("t1")
    assert told.version == before.version
    assert (before.as_of_ms, told.as_of_ms) == tuple(round(at.timestamp() * 1000) for at in (NOON, LATER))
    assert told.snapshot != before.snapshot


def test_whoever_else_is_asked_for(process: Process, db: psycopg.Connection[Any], rows: Rows) -> None:
    names = [f"t{number}" for number in range(2, 9)]
    for number, name in enumerate(names):
        business(db, name, basis="cash" if number % 2 else "accrual")
    process.settle("t1", *names)
    assert process.compute("t1") == {"t1"}
    assert process.compute(*names[2:5], "t1") == {*names[2:5], "t1"}


def run(statement: str) -> Callable[[Rows], object]:
    return lambda rows: rows.db.execute(statement)


CHANGES: dict[str, Callable[[Rows], object]] = {
    "a new document": lambda rows: rows.invoice(today(), 1),
    "an amount": run("UPDATE dashboard.expense SET total = total + 0.01 WHERE paid_on IS NOT NULL"),
    "a client's name": run("UPDATE dashboard.client SET name = 'Renamed' WHERE client_id = 'c1'"),
    "the tenant's name": run("UPDATE dashboard.tenant SET name = 'Renamed'"),
    "a rate": lambda rows: rows.rate("EUR", today(), "1.2"),
    "a document of last year": lambda rows: rows.invoice(today() - timedelta(days=400), 12),
    "a threshold": lambda rows: rows.insert("threshold", {"rule": "overdue_count", "value": 0}),
    "a close": lambda rows: rows.close(today() - timedelta(days=3), pending=1),
    "a document that is gone": run("DELETE FROM dashboard.quote"),
}


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "unseen by triggers"])
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_is_seen(process: Process, another: Process, rows: Rows, change: str, noted: bool) -> None:
    process.settle("t1")
    CHANGES[change](rows)
    if not noted:
        rows.db.execute("DELETE FROM dashboard.change")
    process.source.mend(["t1"], now=NOON)
    process.compute("t1")
    seen = process.shown("t1")
    another.compute("t1")
    assert seen == another.shown("t1")


def test_the_next_day_is_computed(process: Process, rows: Rows) -> None:
    process.settle("t1")
    assert process.compute("t1", at=NOON + timedelta(days=1)) == set()


def test_who_is_asked_for_again_and_again_makes_room_for_nobody(
    process: Process, db: psycopg.Connection[Any], rows: Rows
) -> None:
    business(db, "t2")
    seconds = [0.0]
    process.memory = Memory(most=1, clock=lambda: seconds[0])
    process.compute("t1", "t2")
    process.settle("t1")
    seconds[0] += STAYS_S - 1
    assert process.compute("t1") == {"t1"}
    seconds[0] += STAYS_S - 1
    process.compute("t2")
    assert process.compute("t2", "t1") == {"t1"}
    seconds[0] += STAYS_S
    process.compute("t2")
    assert process.compute("t1", "t2") == {"t2"}
