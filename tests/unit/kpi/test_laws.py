"""What holds of every dashboard, whatever is in the books: on the wire parts add up to the whole. SPEC 4, rules 4 and 5."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given as holds_for
from hypothesis import settings

from shared.currency import exponent
from shared.snapshot import encode
from tests.unit.kpi.given import TODAY, YESTERDAY, computed
from tests.unit.kpi.random_facts import random_facts
from workers.facts import TenantFacts
from workers.kpi.days import Period, trailing
from workers.kpi.debtors import debtors
from workers.kpi.money import exact
from workers.kpi.receivables import receivables
from workers.kpi.sums import sums

CASES = 300
RATIOS = {
    "share",
    "overdue_share",
    "conversion",
    "confidence",
    "sample",
    "day",
    "fx",
    "quality",
    "weight",
    "coverage",
    "points",
    "performance_score",
}
# Of metrics, whose unit says how to read them, and of the score's parts.
MEASURED = {"value", "previous", "change"}
DAYS_AND_PERCENTS = {"dso_days", "days_over_terms", "change_percent"}
random_tenants = settings(max_examples=CASES, deadline=None)


@dataclass(frozen=True)
class Wire:
    """What a client reads, numbers as they are written."""

    snapshot: dict[str, Any]
    overview: dict[str, Any]

    def metric(self, name: str) -> dict[str, Any]:
        return next(metric for metric in self.snapshot["metrics"] if metric["name"] == name)


def served(given: TenantFacts) -> Wire:
    found = computed(given)
    bodies = [
        json.loads(encode(body), parse_float=Decimal, parse_int=Decimal) for body in (found.snapshot, found.overview)
    ]
    return Wire(*bodies)


def total(amounts: Iterable[Decimal | None]) -> Decimal:
    """What is null is not in the whole either."""
    return sum((amount for amount in amounts if amount is not None), Decimal(0))


def left_out(listed: list[dict[str, Any]]) -> int:
    return int(sum(one["documents"] for one in listed))


@random_tenants
@holds_for(random_facts())
def test_ageing_buckets_sum_to_overdue_and_to_outstanding(given: TenantFacts) -> None:
    wire = served(given)
    owed, ageing = wire.overview["receivables"], wire.overview["receivables"]["ageing"]
    late = [bucket for bucket in ageing if bucket["bucket"] != "current"]
    overdue = wire.metric("Overdue Invoices")
    assert total(bucket["amount"] for bucket in late) == (overdue["amount"] or 0)
    assert sum(bucket["count"] for bucket in late) == overdue["value"]
    assert total(bucket["amount"] for bucket in ageing) == (owed["outstanding"] or 0)
    assert wire.metric("Pending Invoices")["amount"] == ageing[0]["amount"]


@random_tenants
@holds_for(random_facts())
def test_debtors_sum_to_outstanding_and_overdue(given: TenantFacts) -> None:
    owed = served(given).overview["receivables"]
    assert len(owed["debtors"]) == len(debtors(given, receivables(given).balances)) <= 10
    assert total(row["outstanding"] for row in owed["debtors"]) == (owed["outstanding"] or 0)
    late = [bucket for bucket in owed["ageing"] if bucket["bucket"] != "current"]
    assert total(row["overdue"] for row in owed["debtors"]) == total(bucket["amount"] for bucket in late)
    assert sum(row["invoices"] for row in owed["debtors"]) == sum(bucket["count"] for bucket in owed["ageing"])


@random_tenants
@holds_for(random_facts())
def test_days_sum_to_their_period(given: TenantFacts) -> None:
    series = served(given).overview["series"]
    period = trailing(TODAY, 30)
    with exact():
        known = sums(given)
        for name, flow in (("revenue", known.revenue), ("expenses", known.expenses), ("cash", known.cash.net)):
            assert total(day[name] for day in series) == (flow.total(period).value or 0)


@random_tenants
@holds_for(random_facts(last_day=29))
def test_clients_sum_to_revenue_and_categories_to_expenses(given: TenantFacts) -> None:
    overview = served(given).overview
    assert total(row["amount"] for row in overview["expense_categories"]) == total(
        day["expenses"] for day in overview["series"]
    )
    if given.tenant.basis == "accrual":
        revenue = total(day["revenue"] for day in overview["series"])
        assert total(row["revenue"] for row in overview["top_clients"]) == revenue


@random_tenants
@holds_for(random_facts())
def test_revenue_less_expenses_is_profit_as_shown(given: TenantFacts) -> None:
    wire = served(given)
    revenue, expenses, profit = (wire.metric(f"Daily {name}") for name in ("Revenue", "Expenses", "Profit"))
    for field in ("value", "previous"):
        if revenue[field] is None or expenses[field] is None:
            assert profit[field] is None
        else:
            assert revenue[field] - expenses[field] == profit[field]


@random_tenants
@holds_for(random_facts())
def test_change_is_value_less_previous_and_percent_of_what_is_shown(given: TenantFacts) -> None:
    for metric in served(given).snapshot["metrics"]:
        value, previous = metric["value"], metric["previous"]
        if value is None or previous is None:
            assert metric["change"] is metric["change_percent"] is None
            continue
        assert metric["change"] == value - previous
        if not previous:
            assert metric["change_percent"] is None
        if metric["change_percent"] is not None:
            assert abs(metric["change_percent"] - 100 * metric["change"] / abs(previous)) <= Decimal("0.05")
        assert metric["trend"] != "up" or metric["change"] > 0
        assert metric["trend"] != "down" or metric["change"] < 0


@random_tenants
@holds_for(random_facts())
def test_the_forecast_adds_up_from_its_opening_balance(given: TenantFacts) -> None:
    overview = served(given).overview
    held = overview["opening_balance"] or Decimal(0)
    for day in overview["cash_forecast"]:
        held += (day["inflow"] or 0) - (day["outflow"] or 0)
        assert day["cumulative"] == held
        assert day["outflow"] is None or day["outflow"] >= 0


@random_tenants
@holds_for(random_facts())
def test_shares_of_the_positive_rows_sum_to_one(given: TenantFacts) -> None:
    overview = served(given).overview
    for block, amount in (("top_clients", "revenue"), ("expense_categories", "amount")):
        rows = overview[block]
        positive = [row for row in rows if (row[amount] or 0) > 0]
        if overview["unconverted"][block] or not positive:
            assert {row["share"] for row in rows} <= {None}
            continue
        assert [row["share"] is not None for row in rows] == [row in positive for row in rows]
        # Each share is off by half a place at most.
        assert abs(total(row["share"] for row in rows) - 1) <= len(positive) * Decimal("0.00005")


@random_tenants
@holds_for(random_facts())
def test_nothing_shown_has_more_decimals_than_its_unit(given: TenantFacts) -> None:
    base = exponent(given.tenant.base_currency)
    wire = served(given)
    for key, number, currency in [*numbers(wire.snapshot), *numbers(wire.overview)]:
        allowed = exponent(currency) if currency else base
        if key in RATIOS | MEASURED:
            allowed = 4
        elif key in DAYS_AND_PERCENTS:
            allowed = 1
        assert decimals(number) <= allowed, (key, number)
    for metric in wire.snapshot["metrics"]:
        allowed = {"money": base, "count": 0, "ratio": 4}[metric["unit"]]
        assert all(
            decimals(metric[field]) <= allowed for field in ("value", "previous", "change") if metric[field] is not None
        )


@random_tenants
@holds_for(random_facts())
def test_every_document_without_a_rate_is_listed_where_it_is_missing(given: TenantFacts) -> None:
    wire = served(given)
    listed = {block: left_out(entries) for block, entries in wire.overview["unconverted"].items()}
    period = trailing(TODAY, 30)
    expenses = given.paid_expenses if given.tenant.basis == "cash" else given.expenses
    assert listed["receivables"] == sum(group.base is None for group in given.open_invoices)
    assert listed["customer_credit"] == given.links_known * sum(group.base is None for group in given.credits)
    assert listed["top_clients"] == sum(group.no_rate is not None for group in given.clients)
    assert listed["quotes"] == sum(group.no_rate is not None and group.outcome == "open" for group in given.quotes)
    assert listed["expense_categories"] == unlisted(expenses, period)
    if given.tenant.basis == "accrual":
        cash = unlisted(given.payments, period) + unlisted(given.paid_expenses, period)
        assert listed["series"] == unlisted(given.invoices, period) + unlisted(given.expenses, period) + cash
    assert listed["cash_forecast"] >= unlisted(given.incoming, Period(TODAY, TODAY + timedelta(days=29)))
    named = {issue["currency"] for issue in wire.snapshot["data_issues"]}
    blocks = wire.overview["unconverted"].values()
    assert {one["currency"] for entries in blocks for one in entries} <= named


@random_tenants
@holds_for(random_facts())
def test_what_is_unknown_is_null_and_only_that(given: TenantFacts) -> None:
    wire = served(given)
    owed = wire.overview["receivables"]
    convertible = sum(group.base is not None for group in given.open_invoices)
    assert (owed["outstanding"] is None) == bool(given.open_invoices and not convertible)
    assert (wire.metric("Pending Invoices")["amount"] is None) == bool(
        wire.metric("Pending Invoices")["unconverted"]
        and not any(group.base is not None for group in given.open_invoices if group.bucket == "current")
    )
    if given.tenant.basis == "cash" and not given.links_known:
        assert {day["revenue"] for day in wire.overview["series"]} == {None}
        assert wire.metric("Daily Profit")["value"] is None
    for metric in wire.snapshot["metrics"]:
        if metric["unit"] == "money" and metric["unconverted"]:
            assert metric["change_percent"] is None
    assert owed["dso_days"] is None or not any(
        group.base is None and group.issued_documents for group in given.open_invoices
    )


@random_tenants
@holds_for(random_facts())
def test_the_score_takes_no_part_whose_documents_lack_a_rate(given: TenantFacts) -> None:
    components = {part["name"]: part for part in served(given).snapshot["score"]["components"]}
    thirty = Period(TODAY - timedelta(days=30), YESTERDAY)
    lacking = [*in_period(given.payments, thirty), *in_period(given.paid_expenses, thirty)]
    if lacking:
        cash = components["cash"]
        assert cash["value"] is cash["points"] is None
        assert all(currency in cash["reason"] for currency in lacking)
    foreign = {group.currency for group in given.open_invoices if group.base is None}
    if foreign:
        assert components["collections"]["value"]["overdue_share"] is None
        assert all(currency in components["collections"]["reason"] for currency in foreign)


def in_period(groups: Iterable[Any], period: Period) -> list[str]:
    return [group.no_rate for group in groups if group.no_rate is not None and group.day in period]


def unlisted(groups: Iterable[Any], period: Period) -> int:
    """How many documents of the period have no rate."""
    return len(in_period(groups, period))


def numbers(part: Any, key: str = "", currency: str | None = None) -> Iterator[tuple[str, Decimal, str | None]]:
    """Every number with its key, and the currency that stands beside it."""
    if isinstance(part, dict):
        beside = part.get("currency") if "name" not in part and "user_id" not in part else None
        for name, value in part.items():
            yield from numbers(value, key if key == "change_percent" else name, beside)
    elif isinstance(part, list):
        for value in part:
            yield from numbers(value, key, currency)
    elif isinstance(part, Decimal):
        yield key, part, currency


def decimals(number: Decimal) -> int:
    exponent_of = number.as_tuple().exponent
    assert isinstance(exponent_of, int)
    return max(0, -exponent_of)
