"""What a view shows: every field has an owner, and nothing that is hidden leaves a byte."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.alerts import METRICS as ALERT_METRICS
from shared.receipts import PARAMETERS
from shared.snapshot import (
    CASH_FLOW,
    EXPENSES,
    METRIC_NAMES,
    OVERDUE,
    PROFIT,
    REVENUE,
    HistoryDay,
    LeftOut,
    Month,
    NamedPeriod,
    Overview,
    QuotesOverview,
    SeriesDay,
    Snapshot,
)
from shared.views import BLOCKS, ENVELOPE, NUMBERS, RECEIPTS, SCORED, View, load_views

# A number of its own for everything that can be hidden, so that it can be looked for.
SECRET = {
    owner: 700_001 + index
    for index, owner in enumerate((*METRIC_NAMES, *BLOCKS, "score", "components", "dso", "System", "Dashboard"))
}


def snapshot() -> dict[str, Any]:
    return {
        "version": "e-1", "stale": False, "user_id": "t", "timestamp": "T", "as_of": "T", "computed_at": "T",
        "currency": "USD", "timezone": "UTC", "basis": "accrual", "name": "Shop", "local_date": "2026-03-11",
        "state": "ok", "data_issues": [{"code": "missing_rate", "detail": "hidden", "currency": "GBP"}],
        "performance_score": SECRET["score"],
        "score": {"value": SECRET["score"], "components": [{"value": SECRET["components"]}]},
        "metrics": [{"name": name, "value": SECRET[name], "unconverted": []} for name in METRIC_NAMES],
        "alerts": [
            {"id": f"a-{SECRET[name]}", "metric": name, "message": f"It is {SECRET[name]}."} for name in ALERT_METRICS
        ],
    }  # fmt: skip


def numbers(block: str) -> dict[str, int]:
    """Fields that belong to a metric and to a block: both must be shown."""
    return {name: SECRET[owner] * 1_000_000 + SECRET[block] for name, owner in NUMBERS.items()}


def overview() -> dict[str, Any]:
    period = {"from": "2026-03-01", "to": "2026-03-11", **numbers("periods"), "unconverted": numbers("periods")}
    whole: dict[str, Any] = {name: snapshot()[name] for name in Overview.__struct_fields__ if name in ENVELOPE}
    return whole | {
        "receivables": {"outstanding": SECRET["receivables"], "dso_days": SECRET["dso"]},
        "series": [{"date": "2026-03-10", **numbers("series")}],
        "history": [{"date": "2026-03-10", **numbers("history")}],
        "top_clients": [{"name": f"c{SECRET['top_clients']}"}],
        "opening_balance": SECRET["cash_forecast"],
        "cash_forecast": [{"cumulative": SECRET["cash_forecast"]}],
        "quotes": {"open_amount": SECRET["quotes"], **numbers("quotes")},
        "expense_categories": [{"amount": SECRET["expense_categories"]}],
        "periods": [{"name": "today", **period, "previous": period, "change_percent": numbers("periods")}],
        "months": [{"month": "2026-03", **numbers("months")}],
        "periods_as_of": None,
        "unconverted": {
            name: [{"currency": "GBP", "amount": SECRET["receivables" if name == "customer_credit" else name]}]
            for name in LeftOut.__struct_fields__
        },
    }


views = st.builds(
    View,
    name=st.just("v"),
    metrics=st.frozensets(st.sampled_from(METRIC_NAMES)),
    overview=st.frozensets(st.sampled_from([*BLOCKS])),
    alerts=st.frozensets(st.sampled_from(ALERT_METRICS)),
    score=st.booleans(),
)


@given(view=views)
def test_nothing_that_is_hidden_leaves_a_byte(view: View) -> None:
    cut = view.cut_snapshot(json.dumps(snapshot()).encode()) + view.cut_overview(json.dumps(overview()).encode())
    shown = view.metrics | view.overview | ({"score"} if view.score else set()) | (view.alerts - {*METRIC_NAMES})
    if view.score and view.metrics >= SCORED:
        shown |= {"components"}
    if "receivables" in shown and REVENUE in shown:
        shown |= {"dso"}
    for owner, secret in SECRET.items():
        assert (str(secret).encode() in cut) <= (owner in shown), owner
    # What is named and shown is there, to the byte.
    body = json.loads(cut[: cut.index(b"}{") + 1])
    assert [metric["name"] for metric in body["metrics"]] == [name for name in METRIC_NAMES if name in view.metrics]
    assert body["performance_score"] == (SECRET["score"] if view.score else None)


def test_numbers_that_pass_are_the_same_bytes() -> None:
    view = View(name="v", metrics=frozenset({REVENUE}), overview=frozenset({"months"}), alerts=frozenset())
    body = (
        b'{"metrics":[{"name":"Daily Revenue","value":10.50},{"name":"Cash Flow"}],"alerts":[],"performance_score":1.0}'
    )
    assert (
        view.cut_snapshot(body)
        == b'{"performance_score":null,"metrics":[{"name":"Daily Revenue","value":10.50}],"alerts":[]}'
    )


def test_every_field_of_what_is_served_has_an_owner() -> None:
    assert set(Snapshot.__struct_fields__) <= ENVELOPE | {
        "data_issues",
        "performance_score",
        "score",
        "metrics",
        "alerts",
    }
    assert set(Overview.__struct_fields__) <= ENVELOPE.union(*BLOCKS.values()) | {"unconverted"}
    assert set(LeftOut.__struct_fields__) <= set(BLOCKS) | {"customer_credit"}
    free = {"date", "first", "last", "name", "month", "previous", "change_percent", "unconverted"}
    for row in (SeriesDay, HistoryDay, NamedPeriod, Month):
        assert set(row.__struct_fields__) <= {*NUMBERS} | free, row
    assert set(QuotesOverview.__struct_fields__) <= {*NUMBERS} | {"open_count", "open_amount"}
    assert set(RECEIPTS) == set(PARAMETERS)


def test_documents_are_shown_of_what_is_shown() -> None:
    view = View(name="v", metrics=frozenset({REVENUE, EXPENSES, OVERDUE}), overview=frozenset({"receivables"}))
    assert {number for number in PARAMETERS if view.shows_receipt(number)} == {
        "daily-revenue", "daily-expenses", "revenue", "expenses", "overdue-invoices", "outstanding", "customer-credit",
    }  # fmt: skip


def test_an_alert_about_a_hidden_metric_is_hidden() -> None:
    view = View(name="v", metrics=frozenset({REVENUE}), alerts=frozenset({REVENUE, PROFIT, "System"}))
    assert [metric for metric in ALERT_METRICS if view.shows_alert(metric)] == [REVENUE, "System"]


def test_a_file_of_views(tmp_path: Path) -> None:
    file = tmp_path / "views.toml"
    file.write_text(
        f'[views.operations]\nmetrics = ["{OVERDUE}"]\noverview = ["receivables"]\nalerts = ["{OVERDUE}"]\n'
        f'[views.cash]\nmetrics = ["{CASH_FLOW}"]\nscore = true\n'
    )
    assert load_views(str(file)) == {
        "operations": View(
            name="operations",
            metrics=frozenset({OVERDUE}),
            overview=frozenset({"receivables"}),
            alerts=frozenset({OVERDUE}),
        ),
        "cash": View(name="cash", metrics=frozenset({CASH_FLOW}), score=True),
    }
    assert load_views(None) == {}


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        (None, ["cannot be read"]),
        ("[views", ["cannot be read"]),
        ("view = 1", ["'view'"]),
        ("views = 1", ["[views.NAME]"]),
        (
            '[views.a]\nmetrics = ["Revenue"]\noverview = ["profit"]\nalert = []',
            ["'Revenue'", "'profit'", "alert is none"],
        ),
        ('[views.a]\nmetrics = "Daily Revenue"\nscore = 1', ["metrics must be a list", "score must be"]),
    ],
)
def test_a_file_says_everything_that_is_wrong_with_it(tmp_path: Path, text: str | None, complaints: list[str]) -> None:
    file = tmp_path / "views.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValueError, match=r"\w") as refused:
        load_views(str(file))
    said = str(refused.value)
    assert len(said.splitlines()) == len(complaints)
    assert all(complaint in said for complaint in complaints)


def test_amounts_are_not_read_as_floats() -> None:
    view = View(name="v", metrics=frozenset({REVENUE}))
    body = b'{"metrics":[{"name":"Daily Revenue","value":12345678901234567.89}],"alerts":[],"performance_score":null}'
    value = json.loads(view.cut_snapshot(body), parse_float=Decimal)["metrics"][0]["value"]
    assert value == Decimal("12345678901234567.89")
