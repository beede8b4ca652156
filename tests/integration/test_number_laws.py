"""Laws that what is served keeps, whatever the rows are: parts add up to their whole, and a batch is its tenants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from shared.snapshot import CASH_FLOW, CONVERSION, EXPENSES, OVERDUE, PENDING, PROFIT, REVENUE
from tests.calculations import served
from tests.integration.test_batch_equals_recount import Business, businesses, moments, rates_of_everyone, write
from workers.facts import TenantFacts
from workers.kpi.dashboard import dashboard
from workers.source import Source

Body = dict[str, Any]


def board(facts: TenantFacts, now: datetime) -> tuple[Body, Body]:
    """Snapshot and overview as they are served."""
    made = dashboard(facts, computed_at=now)
    return served(made.snapshot), served(made.overview)


def whole(amounts: Iterable[Decimal | None]) -> Decimal:
    """The sum of what is known."""
    return sum((amount for amount in amounts if amount is not None), Decimal())


def left_out(*lists: Sequence[Body]) -> tuple[Counter[str], Counter[str]]:
    """Amounts and documents by currency of lists of what was not converted."""
    amounts: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    for left in (left for several in lists for left in several):
        amounts[left["currency"]] += left["amount"]
        documents[left["currency"]] += left["documents"]
    return amounts, documents


def assert_receivables_add_up(metrics: Body, overview: Body) -> None:
    receivables = overview["receivables"]
    ageing = {bucket["bucket"]: bucket for bucket in receivables["ageing"]}
    late = [bucket for name, bucket in ageing.items() if name != "current"]
    pending, overdue = metrics[PENDING], metrics[OVERDUE]
    assert whole(bucket["amount"] for bucket in late) == (overdue["amount"] or 0)
    assert sum(bucket["count"] for bucket in late) == overdue["value"]
    assert (ageing["current"]["amount"], ageing["current"]["count"]) == (pending["amount"], pending["value"])
    assert whole([pending["amount"], overdue["amount"]]) == (receivables["outstanding"] or 0)
    debtors = receivables["debtors"]
    assert whole(debtor["outstanding"] for debtor in debtors) == (receivables["outstanding"] or 0)
    assert whole(debtor["overdue"] for debtor in debtors) == (overdue["amount"] or 0)
    assert sum(debtor["invoices"] for debtor in debtors) == pending["value"] + overdue["value"]
    assert left_out(receivables["unconverted"]) == left_out(pending["unconverted"], overdue["unconverted"])
    assert receivables["unconverted"] == overview["unconverted"]["receivables"]


def assert_days_add_up(metrics: Body, overview: Body) -> None:
    *_, yesterday, today = overview["series"]
    for name, column in ((REVENUE, "revenue"), (EXPENSES, "expenses"), (CASH_FLOW, "cash")):
        assert (metrics[name]["value"], metrics[name]["previous"]) == (today[column], yesterday[column])
    for when in ("value", "previous"):
        revenue, expenses, profit = (metrics[name][when] for name in (REVENUE, EXPENSES, PROFIT))
        known = revenue is not None and expenses is not None
        assert profit == (revenue - expenses if known else None)
    categories = overview["expense_categories"]
    assert whole(day["expenses"] for day in overview["series"]) == whole(row["amount"] for row in categories)


def assert_changes_are_of_what_is_shown(metrics: Body) -> None:
    for metric in metrics.values():
        value, previous, change = (metric[field] for field in ("value", "previous", "change"))
        assert change == (None if value is None or previous is None else value - previous)
        assert metric["change_percent"] is None or previous != 0


def assert_forecast_adds_up(overview: Body) -> None:
    held = overview["opening_balance"] or Decimal()
    for day in overview["cash_forecast"]:
        held += (day["inflow"] or 0) - (day["outflow"] or 0)
        assert day["cumulative"] == held


def assert_quotes_and_shares_agree(metrics: Body, overview: Body) -> None:
    quotes = overview["quotes"]
    assert quotes["conversion"] == metrics[CONVERSION]["value"]
    assert (quotes["won"] + quotes["lost"] == 0) == (quotes["conversion"] is None)
    for block in ("top_clients", "expense_categories"):
        shares = [row["share"] for row in overview[block] if row["share"] is not None]
        assert not (shares and overview["unconverted"][block])
        assert all(0 <= share <= 1 for share in shares)


@settings(
    max_examples=60,
    deadline=None,
    print_blob=True,
    # Each example clears the database before it writes to it.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(now=moments, batch=st.lists(businesses, min_size=1, max_size=6), rates_for_everyone=rates_of_everyone)
def test_parts_add_up_to_their_whole_and_a_batch_is_its_tenants(
    db: psycopg.Connection[Any],
    engine: Engine,
    now: datetime,
    batch: list[Business],
    rates_for_everyone: dict[tuple[str, str, int], str],
) -> None:
    tenants = {f"t{number}": business for number, business in enumerate(batch)}
    write(db, now, tenants, rates_for_everyone)
    source = Source(engine)
    together = source.load(list(tenants), now=now).facts

    for tenant_id in tenants:
        snapshot, overview = board(together[tenant_id], now)
        metrics = {metric["name"]: metric for metric in snapshot["metrics"]}
        assert_receivables_add_up(metrics, overview)
        assert_days_add_up(metrics, overview)
        assert_changes_are_of_what_is_shown(metrics)
        assert_forecast_adds_up(overview)
        assert_quotes_and_shares_agree(metrics, overview)

    one = source.load(["t0"], now=now).facts["t0"]
    assert board(one, now) == board(together["t0"], now)
