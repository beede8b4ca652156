"""Views: what of a tenant's dashboard somebody may see, and how a body is cut down to it. Source: SPEC 9.

Only what is named here passes: a field that nobody has given a place is hidden from every view. Bytes that pass are left as
they are; no number is decoded on the way.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from shared.alerts import METRICS as ALERT_METRICS
from shared.snapshot import ACTIVITY, CASH_FLOW, CONVERSION, EXPENSES, METRIC_NAMES, OVERDUE, PENDING, PROFIT, REVENUE

# Whose dashboard it is, and as of when.
ENVELOPE = frozenset(
    {
        "version", "stale", "user_id", "timestamp", "as_of", "computed_at", "currency", "timezone", "basis", "name",
        "local_date", "state",
    }
)  # fmt: skip
# What a view may name of the overview, and the fields that come with it.
BLOCKS: Mapping[str, frozenset[str]] = {
    "receivables": frozenset({"receivables"}),
    "series": frozenset({"series"}),
    "history": frozenset({"history"}),
    "top_clients": frozenset({"top_clients"}),
    "cash_forecast": frozenset({"cash_forecast", "opening_balance"}),
    "quotes": frozenset({"quotes"}),
    "expense_categories": frozenset({"expense_categories"}),
    "periods": frozenset({"periods", "periods_as_of"}),
    "months": frozenset({"months", "periods_as_of"}),
}
# Under which block something that is left out stands.
_LEFT_OUT = {"customer_credit": "receivables"}
# Fields of rows that are a metric's number of other days: they are hidden with it, also where their block is shown.
NUMBERS: Mapping[str, str] = {
    "revenue": REVENUE,
    "expenses": EXPENSES,
    "profit": PROFIT,
    "money_in": CASH_FLOW,
    "money_out": CASH_FLOW,
    "cash_flow": CASH_FLOW,
    "cash": CASH_FLOW,
    "pending": PENDING,
    "overdue": OVERDUE,
    "conversion": CONVERSION,
    "won": CONVERSION,
    "lost": CONVERSION,
    "active_clients": ACTIVITY,
}
_ROWS = ("series", "history", "periods", "months")
# What the score's components are made of: each tells in numbers and words how these stand to each other.
SCORED = frozenset({REVENUE, PROFIT, CASH_FLOW, OVERDUE, CONVERSION, ACTIVITY})
# What a view must show for the documents behind a number to be shown.
RECEIPTS: Mapping[str, tuple[str, ...]] = {
    "daily-revenue": (REVENUE,),
    "daily-expenses": (EXPENSES,),
    "cash-flow": (CASH_FLOW,),
    "pending-invoices": (PENDING,),
    "overdue-invoices": (OVERDUE,),
    "quote-conversion": (CONVERSION,),
    "client-activity": (ACTIVITY,),
    "outstanding": ("receivables",),
    "customer-credit": ("receivables",),
    "forecast": ("cash_forecast",),
    "revenue": (REVENUE,),
    "expenses": (EXPENSES,),
    "profit": (PROFIT, REVENUE, EXPENSES),
    "money-in": (CASH_FLOW,),
    "money-out": (CASH_FLOW,),
}

_Fields = dict[str, msgspec.Raw]
_decode_fields = msgspec.json.Decoder(_Fields).decode
_decode_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class _Named(msgspec.Struct):
    name: str


class _About(msgspec.Struct):
    metric: str


_name_of = msgspec.json.Decoder(_Named).decode
_metric_of = msgspec.json.Decoder(_About).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What somebody may see. metrics: by name; overview: blocks; alerts: those about these metrics; score: whether."""

    name: str
    metrics: frozenset[str] = frozenset()
    overview: frozenset[str] = frozenset()
    alerts: frozenset[str] = frozenset()
    score: bool = False

    def shows_alert(self, metric: str) -> bool:
        """Whether an alert about the metric is shown. One about a hidden metric would tell its number."""
        return metric in self.alerts and (metric in self.metrics or metric not in METRIC_NAMES)

    def shows_receipt(self, number: str) -> bool:
        """Whether the documents behind the number are shown."""
        return all(needed in self.metrics or needed in self.overview for needed in RECEIPTS[number])

    def cut_snapshot(self, body: bytes) -> bytes:
        """The stored snapshot, or what clients get of it, without what is hidden.

        Which currencies lack a rate, and since when, is said over all documents: it is left out. The metrics say it of
        what is shown.
        """
        whole = _decode_fields(body)
        shown: _Fields = {name: value for name, value in whole.items() if name in ENVELOPE}
        if "data_issues" in whole:
            issues = (msgspec.json.decode(issue, type=dict[str, Any]) for issue in _decode_rows(whole["data_issues"]))
            shown["data_issues"] = _raw([issue for issue in issues if issue["code"] != "missing_rate"])
        shown["performance_score"] = whole["performance_score"] if self.score else _raw(None)
        if self.score:
            shown["score"] = self._cut_score(whole["score"])
        shown["metrics"] = _raw([one for one in _decode_rows(whole["metrics"]) if _name_of(one).name in self.metrics])
        shown["alerts"] = _raw(
            [one for one in _decode_rows(whole["alerts"]) if self.shows_alert(_metric_of(one).metric)]
        )
        return _encode(shown)

    def cut_overview(self, body: bytes) -> bytes:
        """The stored overview, or what clients get of it, without what is hidden."""
        whole = _decode_fields(body)
        passing = ENVELOPE.union(*(BLOCKS[block] for block in self.overview))
        shown: _Fields = {name: value for name, value in whole.items() if name in passing}
        for block in _ROWS:
            if block in shown:
                shown[block] = _raw([self._cut_row(row) for row in _decode_rows(shown[block])])
        if "quotes" in shown:
            shown["quotes"] = self._cut_row(shown["quotes"])
        if "receivables" in shown and REVENUE not in self.metrics:
            # With what is outstanding beside it, it tells what was billed.
            shown["receivables"] = _raw({**_decode_fields(shown["receivables"]), "dso_days": None})
        shown["unconverted"] = self._cut_left_out(whole["unconverted"])
        return _encode(shown)

    def _cut_score(self, score: msgspec.Raw) -> msgspec.Raw:
        """Its components only for who sees all that they are made of: with the whole, the others would tell a hidden one."""
        return score if self.metrics >= SCORED else _raw({**_decode_fields(score), "components": ()})

    def _cut_row(self, row: msgspec.Raw) -> msgspec.Raw:
        """A row without the numbers of hidden metrics, in it and in what it is compared with."""
        fields = {name: value for name, value in _decode_fields(row).items() if self._shows_number(name)}
        for name in ("previous", "change_percent", "unconverted"):
            if name in fields:
                fields[name] = self._cut_row(fields[name])
        return _raw(fields)

    def _shows_number(self, name: str) -> bool:
        return name not in NUMBERS or NUMBERS[name] in self.metrics

    def _cut_left_out(self, left_out: msgspec.Raw) -> msgspec.Raw:
        """By block. Of series and months it is said over all numbers together, so only who sees all of them is told."""
        blocks = _decode_fields(left_out)
        whole = {REVENUE, EXPENSES, CASH_FLOW} <= self.metrics
        return _raw(
            {
                block: value
                for block, value in blocks.items()
                if _LEFT_OUT.get(block, block) in self.overview and (whole or block not in ("series", "months"))
            }
        )


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encode(value))


def load_views(path: str | None) -> dict[str, View]:
    """The views of a TOML file by name, none without a file. Raises ValueError with a line for everything that is wrong."""
    problems: list[str] = []
    views = _views(path, problems.append) if path else {}
    if problems:
        raise ValueError("\n".join(problems))
    return views


def _views(path: str, complain: Callable[[str], None]) -> dict[str, View]:
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        complain(f"cannot be read: {error}")
        return {}
    tables = content.pop("views", {})
    for name in content:
        complain(f"there is nothing but [views.NAME], not {name!r}")
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        complain("each view is a table [views.NAME]")
        return {}
    return {name: _view(name, table, complain) for name, table in tables.items()}


def _view(name: str, table: Mapping[str, Any], complain: Callable[[str], None]) -> View:
    known = {"metrics": METRIC_NAMES, "overview": tuple(BLOCKS), "alerts": ALERT_METRICS}
    for key in table.keys() - known.keys() - {"score"}:
        complain(f"{name}: {key} is none of metrics, overview, alerts, score")
    chosen: dict[str, frozenset[str]] = {}
    for key, members in known.items():
        wanted = table.get(key, [])
        if not isinstance(wanted, list):
            complain(f"{name}: {key} must be a list of names")
            continue
        for member in wanted:
            if member not in members:
                complain(f"{name}: {member!r} is none of {key}: {', '.join(members)}")
        chosen[key] = frozenset(str(member) for member in wanted)
    score = table.get("score", False)
    if not isinstance(score, bool):
        complain(f"{name}: score must be true or false")
    return View(name=name, score=score is True, **chosen)
