"""Compares what is expected with what is served, field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from workers.audit.recount.expected import Expected

# What names the members of the lists that are served; the first one a member has is its name.
NAMES = ("client_id", "category", "name", "bucket", "currency", "date", "month")
# Fields that are left out when there is nothing to say.
OPTIONAL = ("reason", "amount", "rebuilt")
OVERVIEW = (
    "receivables", "series", "top_clients", "opening_balance", "cash_forecast", "quotes", "expense_categories",
    "unconverted", "periods", "months",
)  # fmt: skip


def differences(expected: Expected, snapshot: Mapping[str, Any], overview: Mapping[str, Any]) -> list[str]:
    """One readable line for every field that differs; empty when all is equal.

    `snapshot` and `overview`: the served JSON, parsed with parse_float=Decimal. Fields that SPEC 4 does not fix (words,
    timestamps, ids) are not looked at, but for the currencies that a score's reason must name.
    """
    wanted = asdict(expected)
    wanted["performance_score"] = wanted["score"]["value"]
    served_alerts = sorted((alert["level"], alert["metric"]) for alert in snapshot["alerts"])
    missing = [
        {"currency": issue["currency"], "since": issue["since"]}
        for issue in snapshot["data_issues"]
        if issue["code"] == "missing_rate"
    ]
    wanted["missing_rates"] = {currency: {"since": since} for currency, since in expected.missing_rates.items()}
    long_form = {name: wanted.pop(name) for name in OVERVIEW}
    return [
        *_compare("snapshot", wanted, {**snapshot, "alerts": served_alerts, "missing_rates": missing}),
        *_compare("overview", long_form, overview),
    ]


def _compare(path: str, wanted: Any, served: Any) -> list[str]:
    if _is_ordered(wanted) and isinstance(served, list):
        members = {_name_of(member): member for member in wanted}
        found = _compare(path, members, served)
        out_of_order = not found and [*members] != [_name_of(member) for member in served]
        return [*found, f"{path}: expected in the order {[*members]}"] if out_of_order else found
    if isinstance(wanted, Mapping) and isinstance(served, list):
        by_name = {_name_of(member): member for member in served}
        surplus = [f"{path}: {name} is served, not expected" for name in by_name.keys() - wanted.keys()]
        repeated = [f"{path}: a name is served twice"] if len(by_name) < len(served) else []
        return surplus + repeated + _compare(path, wanted, by_name)
    if isinstance(wanted, Mapping) and isinstance(served, Mapping):
        return [
            line for name, value in wanted.items() for line in _compare_member(f"{path}.{name}", name, value, served)
        ]
    if isinstance(wanted, date):
        wanted = wanted.isoformat()
    return [] if wanted == served else [f"{path}: expected {wanted}, served {served}"]


def _compare_member(path: str, name: str, wanted: Any, served: Mapping[str, Any]) -> list[str]:
    if name == "lacking":
        unnamed = sorted(currency for currency in wanted if currency not in served.get("reason", ""))
        return [f"{path}: the reason names no {currency}" for currency in unnamed]
    if name in served:
        return _compare(path, wanted, served[name])
    return [] if name in OPTIONAL and wanted is None else [f"{path}: expected {wanted}, missing"]


def _is_ordered(wanted: Any) -> bool:
    """Whether it is a list of members, each with a name."""
    return isinstance(wanted, Sequence) and all(isinstance(member, Mapping) for member in wanted)


def _name_of(member: Mapping[str, Any]) -> Any:
    return next(member[name] for name in NAMES if name in member)
