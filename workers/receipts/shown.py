"""What the snapshot of a version says of a number, as far as it is one of its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import UNSET, UnsetType

from shared.receipts import Question
from shared.snapshot import ACTIVITY, CASH_FLOW, CONVERSION, EXPENSES, OVERDUE, PENDING, REVENUE
from workers.receipts.changes import Listed

# The metrics of numbers that are money, and where it stands.
_MONEY = {
    "daily-revenue": (REVENUE, "value"),
    "daily-expenses": (EXPENSES, "value"),
    "cash-flow": (CASH_FLOW, "value"),
    "pending-invoices": (PENDING, "amount"),
    "overdue-invoices": (OVERDUE, "amount"),
}
# The metrics of those whose count or ratio stands beside the money.
_BESIDE = {
    "pending-invoices": PENDING,
    "overdue-invoices": OVERDUE,
    "quote-conversion": CONVERSION,
    "client-activity": ACTIVITY,
}


def agrees(question: Question, now: Listed, before: Listed | None, snapshot: Mapping[str, Any]) -> bool:
    """Whether the documents sum to what the snapshot shows, and those of the time before to what that is compared with;
    true of what it does not show. Yesterday's close of open invoices is shown as it was kept, whatever they tell now.

    Rows can change without being noted (disabled triggers, logical replication): the snapshot then is the older of the two.
    """
    if question.number not in _MONEY or _is_narrowed(question):
        return True
    name, where = _MONEY[question.number]
    metric = _metric(snapshot, name)
    is_before = before is None or where != "value" or metric["previous"] == before.total
    return bool(metric[where] == now.total and is_before)


def beside(question: Question, snapshot: Mapping[str, Any]) -> Decimal | UnsetType | None:
    """The count or ratio beside the money; UNSET where there is none, or of some of the documents only."""
    name = _BESIDE.get(question.number)
    if name is None or _is_narrowed(question):
        return UNSET
    value: Decimal | None = _metric(snapshot, name)["value"]
    return value


def beside_before(question: Question, snapshot: Mapping[str, Any], count: int) -> Decimal | UnsetType | None:
    """The same of the time before, where `count` documents were: of open invoices that is it, as they tell it now."""
    if question.number not in _BESIDE or _is_narrowed(question):
        return UNSET
    if question.number in _MONEY:
        return Decimal(count)
    value: Decimal | None = _metric(snapshot, _BESIDE[question.number])["previous"]
    return value


def _metric(snapshot: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next(metric for metric in snapshot["metrics"] if metric["name"] == name)


def _is_narrowed(question: Question) -> bool:
    return bool(question.client_id or question.category or question.currency or question.bucket)
