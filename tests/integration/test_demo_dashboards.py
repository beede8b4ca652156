"""The dashboards of the demo tenants, real extracts among them: both calculations agree, every part has something to show."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from demo.load import DemoSummary, load_demo
from tests.calculations import disagreements
from workers.kpi.dashboard import Dashboard, dashboard
from workers.source import Source

# 14:00 in New York, the 10th already in Tonga and Tokyo.
NOW = datetime(2026, 3, 9, 18, 0, tzinfo=UTC)


@pytest.fixture
def summary(engine: Engine) -> DemoSummary:
    return load_demo(engine, today=NOW.date())


def _dashboard(engine: Engine, tenant_id: str) -> Dashboard:
    return dashboard(Source(engine).load([tenant_id], now=NOW).facts[tenant_id], computed_at=NOW)


def test_both_calculations_agree_on_every_demo_tenant(engine: Engine, summary: DemoSummary) -> None:
    assert disagreements(engine, [tenant.tenant_id for tenant in summary.tenants], NOW) == {}


@pytest.mark.usefixtures("summary")
def test_first_dashboard_that_people_see_is_full_of_life(engine: Engine) -> None:
    seen = _dashboard(engine, "demo")
    metrics = {metric.name: metric for metric in seen.snapshot.metrics}
    assert all(metric.value for metric in metrics.values())
    assert all(metric.unconverted == () for metric in metrics.values())
    assert seen.snapshot.score.coverage == 1
    assert sum(day.revenue == 0 for day in seen.overview.series) <= 8
    assert all(bucket.count for bucket in seen.overview.receivables.ageing)
    assert len(seen.overview.receivables.by_currency) == 3
    assert [alert.level for alert in seen.snapshot.alerts if alert.metric == "Overdue Invoices"] == ["warning"]


@pytest.mark.usefixtures("summary")
def test_amounts_without_a_rate_are_shown_as_such(engine: Engine) -> None:
    unconverted = {
        amount.currency for metric in _dashboard(engine, "berlin").snapshot.metrics for amount in metric.unconverted
    }
    assert unconverted == {"CHF"}


@pytest.mark.usefixtures("summary")
def test_a_tenant_without_documents_has_no_score(engine: Engine) -> None:
    snapshot = _dashboard(engine, "empty").snapshot
    assert (snapshot.state, snapshot.performance_score) == ("no_data", None)
