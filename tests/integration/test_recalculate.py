"""The whole way from rows to Redis, in one process: what is computed, published, settled and refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
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
from workers.remembered import Memory
from workers.source import Source


@dataclass
class Pipeline:
    """What a task holds, over the test's own database and key prefix."""

    source: Source
    writer: SnapshotWriter
    reader: SnapshotReader
    alerts: AlertKeeper
    memory: Memory = field(default_factory=Memory)

    def run(self, *tenant_ids: str) -> dict[str, Outcome]:
        outcomes = recalculate(
            tenant_ids,
            source=self.source,
            writer=self.writer,
            alerts=self.alerts,
            memory=self.memory,
            now=lambda: datetime.now(UTC),
        )
        return {outcome.tenant_id: outcome for outcome in outcomes}

    def snapshot(self, tenant_id: str) -> dict[str, Any]:
        body = self.reader.read(tenant_id).snapshot
        assert body is not None
        served: dict[str, Any] = json.loads(body, parse_float=Decimal)
        return served

    def value(self, tenant_id: str, metric: str) -> Any:
        return next(m["value"] for m in self.snapshot(tenant_id)["metrics"] if m["name"] == metric)


def made_of(engine: Engine, client: redis.Redis, keys: Keys) -> Pipeline:
    alerts = AlertKeeper(engine, client, keys)
    return Pipeline(Source(engine), SnapshotWriter(client, keys), SnapshotReader(client, keys), alerts)


@pytest.fixture
def pipeline(engine: Engine, valkey: redis.Redis, keys: Keys) -> Pipeline:
    return made_of(engine, valkey, keys)


def test_rows_become_a_snapshot_with_a_version(db: psycopg.Connection, pipeline: Pipeline) -> None:
    rows = add_tenant(db, "a")
    rows.invoice(today(), "1100", tax="100")

    outcome = pipeline.run("a")["a"]

    assert outcome.status == "changed"
    assert outcome.version == str(pipeline.reader.read("a").version)
    assert pipeline.value("a", "Daily Revenue") == 1000
    assert pipeline.value("a", "Pending Invoices") == 1


def test_a_batch_in_which_nothing_changed_is_two_statements_however_large(
    db: psycopg.Connection, pipeline: Pipeline, statements: list[str]
) -> None:
    bases = {f"t{n}": "cash" if n % 4 == 3 else "accrual" for n in range(12)}
    for tenant_id, basis in bases.items():
        rows = add_tenant(db, tenant_id, basis=basis)
        rows.close(today() - timedelta(days=1))
        invoice = rows.invoice(today() - timedelta(days=400), 100, balance=50)
        rows.payment(today(), 50, on={invoice: 50}, unapplied=0)
    pipeline.run(*bases)
    for asked in (["t0"], ["t3"], list(bases)):
        statements.clear()
        assert {outcome.status for outcome in pipeline.run(*asked).values()} == {"unchanged"}
        assert len(statements) == 2
        # What only cash basis asks for is in the statement only where somebody is on it.
        assert any("brought AS" in statement for statement in statements) == any(bases[one] == "cash" for one in asked)


def test_facts_are_read_once_though_a_tenants_past_has_to_be_mended_first(
    db: psycopg.Connection, pipeline: Pipeline, statements: list[str]
) -> None:
    on_cash, other = add_tenant(db, "on_cash", basis="cash"), add_tenant(db, "other")
    old = on_cash.invoice(today() - timedelta(days=400), 100, balance=50)
    on_cash.payment(today() - timedelta(days=390), 50, on={old: 50}, unapplied=0)
    pipeline.run("on_cash", "other")
    statements.clear()
    on_cash.payment(today() - timedelta(days=380), 50, on={old: 50}, unapplied=0)
    other.invoice(today(), 10)
    assert {outcome.status for outcome in pipeline.run("on_cash", "other").values()} == {"changed"}
    assert any("day_book AS book" in statement for statement in statements), "nothing was mended"
    assert sum("dashboard.quote" in statement for statement in statements) == 1
    assert changes.due_tenants(db, 10) == {}


def test_a_change_on_cash_basis_behind_which_no_old_money_stands_mends_nothing(
    db: psycopg.Connection, pipeline: Pipeline, statements: list[str]
) -> None:
    rows = add_tenant(db, "on_cash", basis="cash")
    old = rows.invoice(today() - timedelta(days=400), 100, balance=50)
    pipeline.run("on_cash")
    statements.clear()
    new = rows.invoice(today(), 10)
    rows.payment(today(), 60, on={new: 10, old: 50}, unapplied=0)
    assert pipeline.run("on_cash")["on_cash"].status == "changed"
    assert not any("day_book AS book" in statement for statement in statements)
    assert changes.due_tenants(db, 10) == {}


def test_a_batch_is_settled_and_nothing_is_due_thereafter(db: psycopg.Connection, pipeline: Pipeline) -> None:
    for name in ("a", "b", "c"):
        add_tenant(db, name)
    assert list(changes.due_tenants(db, 10)) == ["a", "b", "c"]
    pipeline.run("a", "b")
    assert list(changes.due_tenants(db, 10)) == ["c"]


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
    assert list(changes.due_tenants(db, 10)) == []


def test_whoever_is_asked_for_everyone_as_a_tenant_settles_nothing(db: psycopg.Connection, pipeline: Pipeline) -> None:
    add_tenant(db, "a")
    db.execute("INSERT INTO dashboard.change (tenant_id) VALUES ('*')")
    pipeline.run("*", "a")
    assert list(changes.due_tenants(db, 10)) == ["*"]


def test_a_tenant_that_comes_back_has_a_past_of_what_is_there_then(db: psycopg.Connection, pipeline: Pipeline) -> None:
    old = today() - timedelta(days=400)
    add_tenant(db, "a").invoice(old, 100)
    pipeline.run("a")
    db.execute("DELETE FROM dashboard.tenant")
    pipeline.run("a")
    db.execute("UPDATE dashboard.invoice SET total = 70")
    assert pipeline.run("a")["a"].status == "unknown"
    add_tenant(db, "a")
    pipeline.run("a")
    assert [(kept.revenue, kept.in_part) for kept in pipeline.source.load(["a"]).facts["a"].kept.totals] == [
        (70, False)
    ]


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
    assert list(changes.due_tenants(db, 10)) == []


FOR_BAD = "CASE WHEN tenant_id = 'bad' AND invoice_id = 'i2' THEN {bad} ELSE {good} END"


@pytest.mark.parametrize(
    ("column", "expression", "reason", "about"),
    [
        (
            "total",
            FOR_BAD.format(bad="'NaN'::numeric", good="total"),
            "dashboard.invoice 'i2' total: NaN cannot be computed with",
            "total of invoice i2",
        ),
        (
            "total",
            FOR_BAD.format(bad="NULL", good="total"),
            "dashboard.invoice 'i2' total: it is missing",
            "total of invoice i2",
        ),
        (
            "due_date",
            FOR_BAD.format(bad="'infinity'::date", good="due_date"),
            "dashboard.invoice 'i2' due_date: infinity cannot be computed with",
            "due date of invoice i2",
        ),
        (
            "tax",
            "(" + FOR_BAD.format(bad="'12,50'", good="tax::text") + ")::numeric",
            "dashboard.invoice 'i2' tax: invalid input syntax for type numeric: \"12,50\"",
            "tax of invoice i2",
        ),
        (
            "base_rate",
            "1 / " + FOR_BAD.format(bad="0.0", good="1.0"),
            "dashboard.invoice 'i2' base_rate: division by zero",
            "base rate of invoice i2",
        ),
        # No row is to blame: every tenant fails, and what the statement could not do with which column is said.
        ("issue_date", "issue_date::text", "dashboard.invoice.issue_date: operator does not exist: ", None),
    ],
)
def test_who_mends_it_is_told_the_table_the_row_and_the_column(
    db: psycopg.Connection, pipeline: Pipeline, column: str, expression: str, reason: str, about: str | None
) -> None:
    rows = add_tenant(db, "bad")
    for _ in range(5):
        rows.invoice(today(), 100, tax=10)
    db.execute("UPDATE dashboard.invoice SET invoice_id = 'i' || right(invoice_id, 1)")
    behind_a_view(db, "invoice", **{column: expression})

    outcome = pipeline.run("bad")["bad"]

    assert (outcome.reason or "").startswith(reason)
    assert pipeline.reader.read("bad").failing == outcome.reason
    (message,) = db.execute("SELECT message FROM dashboard.alert WHERE rule = 'computation_failing'").fetchone() or (
        "",
    )
    assert message.endswith(f"What you see is older. Please check the {about}." if about else "What you see is older.")
    assert pipeline.run("bad")["bad"].reason == outcome.reason


def test_redis_away_settles_nothing(db: psycopg.Connection, engine: Engine, keys: Keys) -> None:
    add_tenant(db, "a")
    with pytest.raises(StoreUnavailable):
        made_of(engine, connect("redis://127.0.0.1:1", timeout_s=0.2), keys).run("a")
    assert list(changes.due_tenants(db, 10)) == ["a"]


def test_database_away_is_told_apart_from_bad_data(valkey: redis.Redis, keys: Keys) -> None:
    engine = make_engine("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(SourceUnavailable):
        made_of(engine, valkey, keys).run("a", "b")
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


def test_a_row_of_the_past_that_cannot_be_read_fails_its_tenant_and_never_shortens_its_periods(
    db: psycopg.Connection, pipeline: Pipeline
) -> None:
    for name in ("bad", "good"):
        rows = add_tenant(db, name)
        rows.invoice(today(), 100)
        rows.invoice(today() - timedelta(days=400), 100, invoice_id="old", balance=0)
    behind_a_view(
        db,
        "invoice",
        total="CASE WHEN tenant_id = 'bad' AND invoice_id = 'old' THEN ('x' || total)::numeric ELSE total END",
    )
    outcomes = pipeline.run("bad", "good")
    assert (outcomes["bad"].status, outcomes["good"].status) == ("failed", "changed")
    assert list(changes.due_tenants(db, 10)) == []

    db.execute("DROP VIEW dashboard.invoice; CREATE VIEW dashboard.invoice AS SELECT * FROM dashboard.real_invoice")
    assert pipeline.run("bad")["bad"].status == "changed"
    loaded = pipeline.source.load(["bad"]).facts["bad"]
    assert (sum(kept.revenue for kept in loaded.kept.totals), loaded.kept_as_of) == (100, None)


def test_what_could_not_be_made_of_the_past_is_not_told_as_exact_later(
    db: psycopg.Connection, pipeline: Pipeline
) -> None:
    rows = add_tenant(db, "bad")
    rows.invoice(today() - timedelta(days=400), 100, invoice_id="old", balance=0)
    pipeline.run("bad")
    rows.invoice(today() - timedelta(days=300), 50, balance=0)
    behind_a_view(db, "invoice", total="total / CASE WHEN invoice_id = 'old' THEN 1 ELSE 0 END")
    assert pipeline.run("bad")["bad"].status == "failed"

    db.execute("DROP VIEW dashboard.invoice; CREATE VIEW dashboard.invoice AS SELECT * FROM dashboard.real_invoice")
    pipeline.run("bad")
    assert pipeline.source.load(["bad"]).facts["bad"].kept_as_of is not None
    assert pipeline.source.make_totals_anew(10) == ["bad"]
    loaded = pipeline.source.load(["bad"]).facts["bad"]
    assert (sum(kept.revenue for kept in loaded.kept.totals), loaded.kept_as_of) == (150, None)


def test_a_past_that_cannot_be_made_anew_keeps_no_other_waiting(db: psycopg.Connection, pipeline: Pipeline) -> None:
    for name in ("bad", "good"):
        add_tenant(db, name).invoice(today() - timedelta(days=400), 100)
    pipeline.run("bad", "good")
    behind_a_view(db, "invoice", total="CASE WHEN tenant_id = 'bad' THEN ('x' || total)::numeric ELSE total END")
    db.execute("INSERT INTO dashboard.change (tenant_id) VALUES ('bad'), ('good')")
    pipeline.run("bad", "good")
    assert pipeline.source.make_totals_anew(1) == []
    assert pipeline.source.make_totals_anew(1) == ["good"]
    assert pipeline.source.make_totals_anew(10) == []
