"""The fate of expenses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction

from workers.audit.recount.books import Row
from workers.audit.recount.desk import Desk, name_of, net, tax_is_odd
from workers.audit.recount.expectations import expected_of_expense
from workers.audit.recount.postings import Posting


def fate_of_expense(desk: Desk, row: Row) -> Iterator[Posting]:
    """A cost on its date, on cash basis when paid; money out when paid; expected until then.

    A vendor's credit is the same with its sign.
    """
    today = desk.books.today
    paid_on: date | None = row.get("paid_on")
    cost_day = paid_on if desk.books.on_cash_basis else row["expense_date"]
    odd = tax_is_odd(row) or row["expense_date"] > today
    if cost_day is not None:
        rate = desk.rates.of_flow(row, cost_day)
        yield from desk.post(
            ["expenses"], name_of(row), net(row), rate, cost_day, odd=odd, category=row.get("category")
        )
    if paid_on is not None:
        rate = desk.rates.of_flow(row, paid_on)
        yield from desk.post(["money_out"], name_of(row), -Fraction(row["total"]), rate, paid_on, odd=odd)
    if paid_on is None or paid_on > today:
        yield from expected_of_expense(desk, row)
