"""The audit tells drift from everything that only looks like it, and what it tells is mended, counted and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import redis
from sqlalchemy import Engine

from shared.counters import AUDITED, Counted
from shared.keys import Keys
from shared.store import SnapshotReader, SnapshotWriter, Stored
from shared.thresholds import AlertThresholds
from tests.days import today
from tests.rows import add_tenant
from workers.alerts import AlertKeeper
from workers.audit import Audit, Finding, drifting, record
from workers.recalculate import recalculate
from workers.remembered import Memory
from workers.source import Source
from workers.unsettled.known import ENOUGH_ALLOCATIONS

DEFAULTS = AlertThresholds()


class Interrupted(SnapshotReader):
    """Something happens right before the second reading, once."""

    def __init__(self, client: redis.Redis, keys: Keys, happens: Callable[[], object]) -> None:
        super().__init__(client, keys)
        self._happens = [lambda: None, happens]

    def read(self, tenant_id: str) -> Stored:
        if self._happens:
            self._happens.pop(0)()
        return super().read(tenant_id)


@dataclass
class Bench:
    """An audit over the test's own database and keys; `recomputed` lists the tenants it had recomputed."""

    engine: Engine
    client: redis.Redis
    keys: Keys
    recomputed: list[str]
    thresholds: AlertThresholds = field(default_factory=AlertThresholds)
    audited_with: AlertThresholds = field(default_factory=AlertThresholds)
    after_recomputing: Callable[[], object] = lambda: None
    between_reads: Callable[[], object] = lambda: None
    enough_allocations: int = ENOUGH_ALLOCATIONS

    def compute(self, *tenant_ids: str) -> None:
        """Tenants as a worker computes them."""
        writer = SnapshotWriter(self.client, self.keys)
        alerts = AlertKeeper(self.engine, self.client, self.keys)
        source = Source(self.engine, thresholds=self.thresholds, enough_allocations=self.enough_allocations)
        recalculate(
            tenant_ids, source=source, writer=writer, alerts=alerts, memory=Memory(), now=lambda: datetime.now(UTC)
        )

    def recompute(self, tenant_id: str) -> None:
        self.recomputed.append(tenant_id)
        self.compute(tenant_id)
        self.after_recomputing()

    @property
    def audit(self) -> Audit:
        reader = Interrupted(self.client, self.keys, self.between_reads)
        return Audit(
            engine=self.engine, reader=reader, recompute=self.recompute, thresholds=self.audited_with, most_rows=100
        )

    def findings(self, *tenant_ids: str) -> list[Finding]:
        return list(self.audit.findings(tenant_ids))

    def lose_changes(self, db: psycopg.Connection[Any]) -> None:
        """As if capture or dispatch had lost what was noted."""
        db.execute("DELETE FROM dashboard.change")


@pytest.fixture
def bench(engine: Engine, valkey: redis.Redis, keys: Keys) -> Bench:
    return Bench(engine, valkey, keys, recomputed=[])


def verdicts(findings: Sequence[Finding]) -> list[tuple[str, str | None]]:
    return [(finding.verdict, finding.reason) for finding in findings]


def test_what_is_served_right_is_clean_and_not_computed_again(db: psycopg.Connection[Any], bench: Bench) -> None:
    for tenant_id, zone in (("utc", "UTC"), ("nepal", "Asia/Kathmandu")):
        rows = add_tenant(db, tenant_id, timezone=zone)
        rows.invoice(today(), 1000, tax=100)
        rows.expense(today() - timedelta(days=3), "33.33")
    bench.compute("utc", "nepal")
    assert verdicts(bench.findings("utc", "nepal")) == [("clean", None)] * 2
    assert bench.recomputed == []


def test_what_no_trigger_saw_of_a_settled_document_is_drift_and_mended(
    db: psycopg.Connection[Any], bench: Bench
) -> None:
    bench.enough_allocations = 0
    rows = add_tenant(db)
    invoice = rows.invoice(today() - timedelta(days=9), 100)
    rows.payment(today() - timedelta(days=9), 100, on={invoice: 100})
    bench.compute("t1")
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute("UPDATE dashboard.allocation SET amount = 40")
    bench.compute("t1")
    finding, after = bench.findings("t1", "t1")
    assert finding.verdict == "drift"
    assert "overview.receivables.outstanding: expected 60.00, served 0.00" in finding.lines
    assert after.verdict == "clean"


def test_a_lost_change_is_drift_told_by_field_and_mended(db: psycopg.Connection[Any], bench: Bench) -> None:
    rows = add_tenant(db)
    bench.compute("t1")
    rows.invoice(today(), 1000)
    bench.lose_changes(db)
    finding, after = bench.findings("t1", "t1")
    assert finding.verdict == "drift"
    assert "snapshot.metrics.Daily Revenue.value: expected 1000.00, served 0.00" in finding.lines
    assert bench.recomputed == ["t1"]
    assert after.verdict == "clean"


def test_a_change_that_waits_is_no_drift_and_is_computed_first(db: psycopg.Connection[Any], bench: Bench) -> None:
    rows = add_tenant(db)
    bench.compute("t1")
    rows.invoice(today(), 1000)
    assert verdicts(bench.findings("t1")) == [("clean", None)]
    assert bench.recomputed == ["t1"]


def test_a_rate_for_everyone_that_waits_is_no_drift(db: psycopg.Connection[Any], bench: Bench) -> None:
    rows = add_tenant(db)
    rows.invoice(today(), 100, currency="EUR")
    bench.compute("t1")
    rows.rate("EUR", today(), "1.1", everyone=True)
    # Nobody but the listener shares it out, so the audit cannot know and says so.
    assert verdicts(bench.findings("t1")) == [("skipped", "unsettled")]


def test_a_tenant_that_never_rests_is_left_alone(db: psycopg.Connection[Any], bench: Bench) -> None:
    rows = add_tenant(db)
    bench.compute("t1")
    rows.invoice(today(), 1)
    bench.after_recomputing = lambda: rows.invoice(today(), 1)
    assert verdicts(bench.findings("t1")) == [("skipped", "unsettled")]


def test_a_snapshot_that_moves_during_the_look_is_no_drift(db: psycopg.Connection[Any], bench: Bench) -> None:
    rows = add_tenant(db)
    bench.compute("t1")
    rows.invoice(today(), 1000)
    bench.lose_changes(db)
    bench.between_reads = lambda: bench.compute("t1")
    assert verdicts(bench.findings("t1")) == [("clean", None)]


def test_a_snapshot_that_redis_lost_is_computed_again(db: psycopg.Connection[Any], bench: Bench) -> None:
    add_tenant(db)
    bench.compute("t1")
    bench.client.delete(bench.keys.snapshot("t1"))
    assert verdicts(bench.findings("t1", "nobody")) == [("clean", None), ("skipped", "unknown")]
    assert bench.recomputed == ["t1"]


def test_a_dashboard_without_a_tenant_is_drift(db: psycopg.Connection[Any], bench: Bench) -> None:
    add_tenant(db)
    bench.compute("t1")
    db.execute("DELETE FROM dashboard.tenant")
    bench.lose_changes(db)
    assert verdicts(bench.findings("t1", "t1")) == [("drift", None), ("skipped", "unknown")]


def test_what_fails_or_is_too_large_is_left_to_others(db: psycopg.Connection[Any], bench: Bench) -> None:
    add_tenant(db, "failing")
    add_tenant(db, "large")
    db.execute(
        """INSERT INTO dashboard.invoice (tenant_id, invoice_id, status, issue_date, currency, total)
           SELECT 'large', n::text, 'posted', '2020-01-01', 'USD', 1 FROM generate_series(1, 101) AS n"""
    )
    bench.compute("failing", "large")
    SnapshotWriter(bench.client, bench.keys).mark_failing("failing", "for a test")
    assert verdicts(bench.findings("failing", "large")) == [
        ("skipped", "computation_failing"),
        ("skipped", "too_many_rows"),
    ]


def test_behind_views_nothing_tells_of_changes_so_only_a_fresh_computation_is_judged(
    db: psycopg.Connection[Any], bench: Bench
) -> None:
    db.execute("ALTER TABLE dashboard.invoice SET SCHEMA public")
    db.execute("SELECT dashboard.untrack_changes('public.invoice')")
    db.execute("CREATE VIEW dashboard.invoice AS SELECT * FROM public.invoice")
    rows = add_tenant(db)
    bench.compute("t1")
    rows.invoice(today(), 1000)
    assert verdicts(bench.findings("t1")) == [("clean", None)]


def test_no_tenant_is_begun_when_the_time_is_up(db: psycopg.Connection[Any], bench: Bench) -> None:
    add_tenant(db)
    bench.compute("t1")
    assert list(bench.audit.findings(["t1"], budget_s=-1.0)) == []
    assert bench.audit.sample(3) == ["t1"]


def test_who_drifts_is_kept_until_found_clean_and_every_verdict_is_counted(valkey: redis.Redis, keys: Keys) -> None:
    for finding in (
        Finding(tenant_id="a", verdict="drift", lines=("x",)),
        Finding(tenant_id="b", verdict="drift", lines=("x",)),
        Finding(tenant_id="a", verdict="skipped", reason="unsettled"),
        Finding(tenant_id="b", verdict="clean"),
    ):
        record(finding, valkey, keys)
    assert drifting(valkey, keys) == ["a"]
    assert Counted(valkey.hgetall(keys.metrics)).by_value(AUDITED) == {"drift": 2, "skipped": 1, "clean": 1}
    record(Finding(tenant_id="a", verdict="skipped", reason="unknown"), valkey, keys)
    assert drifting(valkey, keys) == []


def test_the_audit_raises_alerts_where_the_settings_do(db: psycopg.Connection[Any], bench: Bench) -> None:
    rows = add_tenant(db)
    rows.invoice(today() - timedelta(days=40), 100)
    bench.thresholds = bench.audited_with = AlertThresholds(overdue_count=Decimal(0))
    bench.compute("t1")
    assert verdicts(bench.findings("t1")) == [("clean", None)]
    bench.audited_with = AlertThresholds()
    (line,) = bench.findings("t1")[0].lines
    assert line.startswith(
        "snapshot.alerts: expected [('info', 'Dashboard')], served [('info', 'Dashboard'), ('warning'"
    )
