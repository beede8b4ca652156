"""The whole way from rows to Redis, in one process: what is computed, published, settled and refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import redis
from sqlalchemy import Engine

from shared.errors import SourceUnavailable, StoreUnavailable
from shared.keys import Keys
from shared.outcomes import Outcome
from shared.redis_client import connect
from shared.store import SnapshotReader, SnapshotWriter
from tests.days import today
from tests.rows import add_tenant
from workers.alerts import AlertKeeper
from workers.capture import changes
from workers.database import make_engine
from workers.recalculate import recalculate
from workers.source import Source


@dataclass
class Pipeline:
    """What a task holds, over the test's own database and key prefix."""

    source: Source
    writer: SnapshotWriter
    reader: SnapshotReader
    alerts: AlertKeeper

    def run(self, *tenant_ids: str) -> dict[str, Outcome]:
        outcomes = recalculate(
            tenant_ids, source=self.source, writer=self.writer, alerts=self.alerts, now=lambda: datetime.now(UTC)
        )
        return {outcome.tenant_id: outcome for outcome in outcomes}

    def snapshot(self, tenant_id: str) -> dict[str, Any]:
        body = self.reader.read(tenant_id).snapshot
        assert body is not None
        served: dict[str, Any] = json.loads(body, parse_float=Decimal)
        return served

    def value(self, tenant_id: str, metric: str) -> Any:
        return next(m["value"] for m in self.snapshot(tenant_id)["metrics"] if m["name"] == metric)


@pytest.fixture
def pipeline(engine: Engine, valkey: redis.Redis, keys: Keys) -> Pipeline:
    alerts = AlertKeeper(engine, valkey, keys)
    return Pipeline(Source(engine), SnapshotWriter(valkey, keys), SnapshotReader(valkey, keys), alerts)


def test_rows_become_a_snapshot_with_a_version(db: psycopg.Connection, pipeline: Pipeline) -> None:
    rows = add_tenant(db, "a")
    rows.invoice(today(), "1100", tax="100")

    outcome = pipeline.run("a")["a"]

    assert outcome.status == "changed"
    assert outcome.version == str(pipeline.reader.read("a").version)
    assert pipeline.value("a", "Daily Revenue") == 1000
    assert pipeline.value("a", "Pending Invoices") == 1


def test_a_batch_is_settled_and_nothing_is_due_thereafter(db: psycopg.Connection, pipeline: Pipeline) -> None:
    for name in ("a", "b", "c"):
        add_tenant(db, name)
    assert changes.due_tenants(db, 10) == ["a", "b", "c"]
    pipeline.run("a", "b")
    assert changes.due_tenants(db, 10) == ["c"]


def test_computing_again_without_a_change_keeps_the_version(db: psycopg.Connection, pipeline: Pipeline) -> None:
    add_tenant(db, "a").invoice(today() - timedelta(days=2), 100)
    first = pipeline.run("a")["a"]
    second = pipeline.run("a")["a"]
    assert (first.status, second.status) == ("changed", "unchanged")
    assert first.version == second.version


def test_a_tenant_that_was_deleted_is_unknown_and_its_snapshot_gone(db: psycopg.Connection, pipeline: Pipeline) -> None:
    add_tenant(db, "a")
    pipeline.run("a")
    db.execute("DELETE FROM dashboard.tenant")
    assert pipeline.run("a")["a"].status == "unknown"
    assert pipeline.reader.read("a").gone
    assert changes.due_tenants(db, 10) == []


def test_the_same_tenant_named_twice_is_computed_once(db: psycopg.Connection, pipeline: Pipeline) -> None:
    add_tenant(db, "a")
    assert list(pipeline.run("a", "a")) == ["a"]


def behind_a_view(db: psycopg.Connection, table: str, **columns: str) -> None:
    """Replace a table by a view that delivers what the table's own checks would refuse."""
    names = [
        name
        for (name,) in db.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
            [f"dashboard.{table}"],
        )
    ]
    db.execute(f"ALTER TABLE dashboard.{table} RENAME TO real_{table}")
    selected = ", ".join(f"{columns.get(name, name)} AS {name}" for name in names)
    db.execute(f"CREATE VIEW dashboard.{table} AS SELECT {selected} FROM dashboard.real_{table}")


@pytest.mark.parametrize(
    ("column", "expression"),
    [
        ("total", "CASE WHEN tenant_id = 'bad' THEN 'NaN'::numeric ELSE total END"),
        ("issue_date", "issue_date"),
        ("due_date", "CASE WHEN tenant_id = 'bad' THEN 'infinity'::date ELSE due_date END"),
    ],
)
def test_one_tenants_impossible_rows_never_stop_the_others(
    db: psycopg.Connection, pipeline: Pipeline, column: str, expression: str
) -> None:
    names = [f"good{n}" for n in range(5)] + ["bad"]
    for name in names:
        add_tenant(db, name).invoice(today(), 100)
    pipeline.run(*names)
    held = pipeline.reader.read("bad")
    behind_a_view(db, "invoice", **{column: expression})
    for name in names:
        db.execute("UPDATE dashboard.tenant SET name = 'renamed' WHERE tenant_id = %s", [name])

    outcomes = pipeline.run(*names)

    bad_column = column != "issue_date"
    assert {outcomes[name].status for name in names if name != "bad"} == {"changed"}
    assert (outcomes["bad"].status == "failed") is bad_column
    after = pipeline.reader.read("bad")
    if bad_column:
        assert after.snapshot == held.snapshot
        assert after.failing == outcomes["bad"].reason
    # Computing it again would fail again: its next change, or the sweep, is the next try.
    assert changes.due_tenants(db, 10) == []


def test_redis_away_settles_nothing(db: psycopg.Connection, engine: Engine, keys: Keys) -> None:
    add_tenant(db, "a")
    away = connect("redis://127.0.0.1:1", timeout_s=0.2)
    writer, alerts = SnapshotWriter(away, keys), AlertKeeper(engine, away, keys)
    with pytest.raises(StoreUnavailable):
        recalculate(["a"], source=Source(engine), writer=writer, alerts=alerts, now=lambda: datetime.now(UTC))
    assert changes.due_tenants(db, 10) == ["a"]


def test_database_away_is_told_apart_from_bad_data(valkey: redis.Redis, keys: Keys) -> None:
    engine = make_engine("postgresql://nobody@127.0.0.1:1/none")
    writer, alerts = SnapshotWriter(valkey, keys), AlertKeeper(engine, valkey, keys)
    with pytest.raises(SourceUnavailable):
        recalculate(["a", "b"], source=Source(engine), writer=writer, alerts=alerts, now=lambda: datetime.now(UTC))
    assert SnapshotReader(valkey, keys).read("a").failing is None


def test_yesterdays_close_is_kept_and_compared_with(db: psycopg.Connection, pipeline: Pipeline) -> None:
    rows = add_tenant(db, "a")
    rows.invoice(today() - timedelta(days=3), 100, due_date=today() - timedelta(days=1))
    pipeline.run("a")
    db.execute("UPDATE dashboard.daily_close SET local_date = local_date - 1")
    rows.invoice(today() - timedelta(days=3), 100, due_date=today() - timedelta(days=1))

    pipeline.run("a")

    overdue = next(m for m in pipeline.snapshot("a")["metrics"] if m["name"] == "Overdue Invoices")
    assert (overdue["value"], overdue["previous"], overdue["change"], overdue["trend"]) == (2, 1, 1, "up")
