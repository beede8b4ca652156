"""Which documents make up revenue, expenses, profit and cash flow of a period, and with which amounts."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

from sqlalchemy import Row

from workers.audit.recount.books import Books
from workers.audit.recount.items import Item, negative, total


def revenue(books: Books, first: date, last: date) -> list[Item]:
    """Income without tax of the local days first..last: as invoiced, or as paid on cash basis."""
    if books.on_cash_basis:
        return _settled(books, "payment", first, last) + negative(_settled(books, "refund", first, last))
    return sales(books, first, last, with_tax=False)


def sales(books: Books, first: date, last: date, *, with_tax: bool) -> list[Item]:
    """Invoices less credit notes issued first..last."""
    return _issued(books, books.invoices, first, last, with_tax) + negative(
        _issued(books, books.credit_notes, first, last, with_tax)
    )


def expenses(books: Books, first: date, last: date) -> list[Item]:
    """Expenses without tax dated first..last, or paid in them on cash basis."""
    return [
        Item(
            document=("expense", row.expense_id),
            currency=row.currency,
            amount=net(row),
            rate=books.flow_rate(row, day),
            anomalous=tax_is_odd(row),
        )
        for row in books.expenses
        for day in [row.paid_on if books.on_cash_basis else row.expense_date]
        if day is not None and first <= day <= last
    ]


def profit(books: Books, first: date, last: date) -> list[Item]:
    """The documents of revenue and expenses together."""
    return revenue(books, first, last) + negative(expenses(books, first, last))


def profit_total(books: Books, first: date, last: date) -> Fraction | None:
    """Revenue less expenses in base units; None as soon as either is."""
    income, costs = total(revenue(books, first, last)), total(expenses(books, first, last))
    return None if income is None or costs is None else income - costs


def cash_in(books: Books, first: date, last: date) -> list[Item]:
    """Payments first..last, tax included."""
    return _moved(books, "payment", first, last)


def cash_out(books: Books, first: date, last: date) -> list[Item]:
    """Refunds and expenses paid first..last, tax included."""
    paid = [
        Item(
            document=("expense", row.expense_id),
            currency=row.currency,
            amount=Fraction(row.total),
            rate=books.flow_rate(row, row.paid_on),
            anomalous=tax_is_odd(row),
        )
        for row in books.expenses
        if row.paid_on is not None and first <= row.paid_on <= last
    ]
    return _moved(books, "refund", first, last) + paid


def cash_flow(books: Books, first: date, last: date) -> list[Item]:
    """Money in less money out."""
    return cash_in(books, first, last) + negative(cash_out(books, first, last))


def net(row: Row[Any]) -> Fraction:
    """Total without tax."""
    return Fraction(row.total) - Fraction(row.tax or 0)


def tax_is_odd(row: Row[Any]) -> bool:
    """Whether a document's tax is missing or larger than the document: an anomaly."""
    return row.tax is None or abs(row.total) < abs(row.tax)


def invoice_is_odd(books: Books, row: Row[Any]) -> bool:
    """Whether an invoice or credit note has an anomaly; only invoices need a due date."""
    lacks_due_date = row.kind == "invoice" and row.due_date is None
    return lacks_due_date or row.issue_date > books.today or tax_is_odd(row)


def _issued(books: Books, rows: Any, first: date, last: date, with_tax: bool) -> list[Item]:
    return [
        Item(
            document=("invoice", row.invoice_id),
            currency=row.currency,
            amount=Fraction(row.total) if with_tax else net(row),
            rate=books.flow_rate(row, row.issue_date),
            anomalous=invoice_is_odd(books, row),
        )
        for row in rows
        if first <= row.issue_date <= last
    ]


def _moved(books: Books, kind: str, first: date, last: date) -> list[Item]:
    return [
        Item(
            document=("payment", row.payment_id),
            currency=row.currency,
            amount=Fraction(row.amount),
            rate=books.flow_rate(row, row.paid_on),
        )
        for row in (books.payments if kind == "payment" else books.refunds)
        if first <= row.paid_on <= last
    ]


def _settled(books: Books, kind: str, first: date, last: date) -> list[Item]:
    """Each allocation of the payments (or refunds) of first..last, without its share of the invoice's tax."""
    items = []
    for row in books.payments if kind == "payment" else books.refunds:
        if first <= row.paid_on <= last:
            document = ("payment", row.payment_id)
            allocations = books.allocations_from.get((kind, row.payment_id), ())
            # Money that settles nothing is no revenue, but it is a document, and needs no rate.
            items += (
                []
                if allocations
                else [Item(document=document, currency=books.base, amount=Fraction(0), rate=Fraction(1))]
            )
            for allocation in allocations:
                invoice = allocation.invoice
                share = net(invoice) / Fraction(invoice.total) if invoice.total else Fraction(0)
                items.append(
                    Item(
                        document=document,
                        currency=invoice.currency,
                        amount=allocation.amount * share,
                        rate=books.flow_rate(invoice, invoice.issue_date),
                    )
                )
    return items
