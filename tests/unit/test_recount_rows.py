"""The recount reads rows as they are: a view may lack any optional column, which then is as if it were null."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from workers.audit.recount.books import TABLES
from workers.audit.recount.expected import expected_of_rows

TODAY = date(2026, 3, 11)
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)

Rows = dict[str, list[dict[str, Any]]]

REQUIRED: Rows = {
    "tenant": [{"timezone": "UTC", "base_currency": "USD", "basis": "cash"}],
    "client": [{"client_id": "c1"}],
    "invoice": [
        {"invoice_id": "i1", "kind": "invoice", "status": "posted", "issue_date": TODAY, "currency": "USD", "total": 100},
        {"invoice_id": "n1", "kind": "credit_note", "status": "posted", "issue_date": TODAY, "currency": "USD", "total": 7},
    ],
    "payment": [
        {"payment_id": "p1", "kind": "payment", "status": "succeeded", "paid_on": TODAY, "currency": "USD", "amount": 60},
        {"payment_id": "r1", "kind": "refund", "status": "succeeded", "paid_on": TODAY, "currency": "USD", "amount": 5},
    ],
    "allocation": [
        {"allocation_id": "a1", "source_kind": "payment", "source_id": "p1", "invoice_id": "i1", "amount": 40},
    ],
    "expense": [{"expense_id": "e1", "status": "posted", "expense_date": TODAY, "currency": "USD", "total": 30}],
    "quote": [{"quote_id": "q1", "status": "sent", "issue_date": TODAY, "currency": "USD", "total": 100}],
    "recurring": [
        {
            "recurring_id": "r1", "kind": "expense", "currency": "USD", "amount": 10, "interval_unit": "month",
            "interval_count": 1, "active": True,
        },
    ],
}  # fmt: skip
OPTIONAL: dict[str, tuple[str, ...]] = {
    "tenant": ("name", "cash_balance", "cash_balance_on"),
    "client": ("name", "created_at", "archived_at"),
    "invoice": (
        "client_id", "reference", "due_date", "tax", "balance", "base_rate", "written_off_on", "created_at", "recurring_id",
    ),
    "payment": ("client_id", "reference", "paid_at", "base_rate", "unapplied"),
    "allocation": ("allocated_on",),
    "expense": ("reference", "category", "vendor", "due_date", "paid_on", "tax", "base_rate", "recurring_id"),
    "quote": ("client_id", "reference", "expiry_date", "decided_on", "invoice_id", "base_rate"),
    "recurring": ("next_on", "ends_on", "terms_days"),
}  # fmt: skip


def rows(**columns: Any) -> Rows:
    """The rows with these columns beside the required ones, in every table that has them."""
    found: Rows = {table: [] for table in TABLES}
    for table, required in REQUIRED.items():
        more = {column: value for column, value in columns.items() if column in OPTIONAL[table]}
        found[table] = [row | more for row in required]
    return found


def test_column_that_a_view_lacks_is_null() -> None:
    every = {column for columns in OPTIONAL.values() for column in columns}

    without = expected_of_rows(rows(), now=NOON)

    assert without == expected_of_rows(rows(**dict.fromkeys(every)), now=NOON)
    # 60 in, of which 40 settle; 5 out to nobody; a note of 7: 20 − 5 + 7.
    assert without.receivables.customer_credit == 22
    assert without.metrics["Daily Revenue"].value == 40


@pytest.mark.parametrize(
    ("column", "value", "credit"), [("unapplied", Decimal(3), 7), ("balance", Decimal(2), 17), ("client_id", "c1", 22)]
)
def test_column_that_is_there_is_read(column: str, value: Any, credit: int) -> None:
    # 3 − 3 + 7; 20 − 5 + 2.
    assert expected_of_rows(rows(**{column: value}), now=NOON).receivables.customer_credit == credit
