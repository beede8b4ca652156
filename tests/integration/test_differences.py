"""The comparison of what is served with what is expected tells every field that is wrong, and only those."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from tests.calculations import served
from tests.rows import add_tenant
from workers.audit.recount import differences, expected
from workers.kpi.dashboard import dashboard
from workers.source import Source

TODAY = date(2026, 3, 11)
NOON = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)

Bodies = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture
def bodies(db: psycopg.Connection, engine: Engine) -> Bodies:
    """Snapshot and overview of a tenant with invoices in two currencies, a cost and a quote, as served."""
    tenant = add_tenant(db)
    tenant.invoice(TODAY, 100, client_id="acme")
    tenant.invoice(TODAY, 100, currency="EUR")
    tenant.expense(TODAY, 100, category="rent")
    tenant.quote("sent", TODAY)
    board = dashboard(Source(engine).load(["t1"], now=NOON).facts["t1"], computed_at=NOON)
    return served(board.snapshot), served(board.overview)


def told(engine: Engine, bodies: Bodies) -> list[str]:
    """What is told, without the reason given."""
    return [line.partition(":")[0] for line in differences(expected(engine, "t1", now=NOON), *bodies)]


def test_nothing_is_told_when_all_is_equal(engine: Engine, bodies: Bodies) -> None:
    assert told(engine, bodies) == []


@pytest.mark.parametrize(
    "path",
    [
        "snapshot.state",
        "snapshot.local_date",
        "snapshot.performance_score",
        "snapshot.score.coverage",
        "snapshot.score.components.collections.points",
        "snapshot.score.components.collections.value.overdue_share",
        "snapshot.metrics.Daily Revenue.value",
        "snapshot.metrics.Daily Revenue.trend",
        "snapshot.metrics.Daily Revenue.confidence_factors.fx",
        "snapshot.metrics.Daily Revenue.unconverted.EUR.documents",
        "snapshot.metrics.Pending Invoices.amount",
        "snapshot.metrics.Pending Invoices.previous",
        "overview.receivables.dso_days",
        "overview.receivables.ageing.current.amount",
        "overview.receivables.by_currency.USD.amount",
        "overview.series.2026-03-11.revenue",
        "overview.receivables.debtors.acme.overdue",
        "overview.receivables.debtors.None.oldest_due",
        "overview.top_clients.acme.revenue",
        "overview.top_clients.acme.share",
        "overview.opening_balance",
        "overview.cash_forecast.2026-04-09.inflow",
        "overview.cash_forecast.2026-04-09.cumulative",
        "overview.quotes.open_amount",
        "overview.quotes.lost",
        "overview.expense_categories.rent.amount",
        "overview.unconverted.series.EUR.amount",
        "overview.unconverted.top_clients.EUR.documents",
    ],
)
def test_field_that_is_altered_or_missing_is_told(engine: Engine, bodies: Bodies, path: str) -> None:
    holder, field = _find(bodies, path)

    holder[field] = Decimal(12345)
    assert told(engine, bodies) == [path]

    del holder[field]
    assert told(engine, bodies) == [path]


def test_member_of_a_list_that_is_missing_or_added_is_told(engine: Engine, bodies: Bodies) -> None:
    snapshot, overview = bodies
    del snapshot["metrics"][7]
    overview["receivables"]["by_currency"].append({"currency": "GBP", "amount": 1})

    assert told(engine, bodies) == ["snapshot.metrics.Client Activity", "overview.receivables.by_currency"]


def test_rows_in_another_order_are_told(engine: Engine, bodies: Bodies) -> None:
    bodies[1]["top_clients"].reverse()

    assert told(engine, bodies) == ["overview.top_clients"]


def test_currency_without_rate_that_is_not_named_is_told(engine: Engine, bodies: Bodies) -> None:
    bodies[0]["data_issues"].clear()

    assert told(engine, bodies) == ["snapshot.missing_rates.EUR"]


def test_currency_named_without_need_is_told(engine: Engine, bodies: Bodies) -> None:
    bodies[0]["data_issues"].append({"code": "missing_rate", "currency": "GBP", "since": TODAY.isoformat()})

    assert told(engine, bodies) == ["snapshot.missing_rates"]


def test_reason_that_does_not_name_the_currency_is_told(engine: Engine, bodies: Bodies) -> None:
    components = {component["name"]: component for component in bodies[0]["score"]["components"]}
    components["collections"]["reason"] = "No data."

    assert told(engine, bodies) == ["snapshot.score.components.collections.lacking"]


def test_alert_that_is_missing_is_told(engine: Engine, bodies: Bodies) -> None:
    bodies[0]["alerts"].clear()

    assert told(engine, bodies) == ["snapshot.alerts"]


def test_unknown_tenant_is_refused(engine: Engine) -> None:
    with pytest.raises(LookupError, match="nobody"):
        expected(engine, "nobody", now=NOON)


def _find(bodies: Bodies, path: str) -> tuple[dict[str, Any], str]:
    """The object that holds the field at `path`; a member of a list goes by its name."""
    first, *steps, field = path.split(".")
    found: Any = bodies[("snapshot", "overview").index(first)]
    for step in steps:
        members = {str(next(iter(m.values()))): m for m in found} if isinstance(found, list) else found
        found = members[step]
    return found, field
