"""What is owed now: balances of invoices, their age, and the money of clients that pays for nothing yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import Row

from shared.snapshot import Bucket
from workers.audit.recount.books import Allocation, Books
from workers.audit.recount.flows import invoice_is_odd
from workers.audit.recount.items import Item, total


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenInvoice:
    """A posted invoice with a balance above 0. days_overdue: 0 or less, or without due date None, is not overdue."""

    item: Item
    days_overdue: int | None

    @property
    def overdue(self) -> bool:
        return self.days_overdue is not None and self.days_overdue > 0

    @property
    def bucket(self) -> Bucket:
        days = self.days_overdue or 0
        if days <= 0:
            return "current"
        return "1-30" if days <= 30 else "31-60" if days <= 60 else "61-90" if days <= 90 else "90+"


def open_invoices(books: Books) -> list[OpenInvoice]:
    """Every invoice that is open now, of whatever age, those dated in the future too."""
    found = []
    for row in books.invoices:
        balance = _balance(books, row)
        if balance > 0:
            item = Item(
                document=("invoice", row.invoice_id),
                currency=row.currency,
                amount=balance,
                rate=books.balance_rate(row),
                anomalous=invoice_is_odd(books, row),
            )
            days_overdue = None if row.due_date is None else (books.today - row.due_date).days
            found.append(OpenInvoice(item=item, days_overdue=days_overdue))
    return found


def customer_credit(books: Books) -> Fraction | None:
    """Money of clients not allocated, or beyond what an invoice asked, less unallocated refunds; in base units, ≥ 0."""
    items = [_credit(books, row, _unallocated(books, "payment", row)) for row in books.payments]
    items += [_credit(books, row, -_unallocated(books, "refund", row)) for row in books.refunds]
    items += [_credit(books, row, _excess(books, row)) for row in books.invoices]
    in_base = total([item for item in items if item.amount])
    return None if in_base is None else max(Fraction(0), in_base)


def _balance(books: Books, row: Row[Any]) -> Fraction:
    if row.written_off_on is not None and row.written_off_on <= books.today:
        return Fraction(0)
    if row.balance is not None:
        return Fraction(row.balance)
    paid, credited = _paid(books, row), _allocated(books, row, "credit_note")
    return Fraction(row.total) - paid - credited


def _excess(books: Books, row: Row[Any]) -> Fraction:
    """The part of the money paid for an invoice that goes beyond its total; a credit note's part is no money."""
    paid = _paid(books, row)
    beyond = paid + _allocated(books, row, "credit_note") - Fraction(row.total)
    return min(max(Fraction(0), beyond), max(Fraction(0), paid))


def _paid(books: Books, row: Row[Any]) -> Fraction:
    return _allocated(books, row, "payment") - _allocated(books, row, "refund")


def _allocated(books: Books, row: Row[Any], source_kind: str) -> Fraction:
    allocations = books.allocations_to.get(row.invoice_id, ())
    return _sum(a for a in allocations if a.source_kind == source_kind and a.counts_on <= books.today)


def _unallocated(books: Books, kind: str, row: Row[Any]) -> Fraction:
    allocations = books.allocations_from.get((kind, row.payment_id), ())
    if row.paid_on > books.today or any(a.invoice.currency != row.currency for a in allocations):
        # What is left of a payment cannot be known when it settled an invoice in another currency.
        return Fraction(0)
    return max(Fraction(0), Fraction(row.amount) - _sum(allocations))


def _sum(allocations: Iterable[Allocation]) -> Fraction:
    return sum((a.amount for a in allocations), Fraction(0))


def _credit(books: Books, row: Row[Any], amount: Fraction) -> Item:
    document = ("invoice", row.invoice_id) if hasattr(row, "invoice_id") else ("payment", row.payment_id)
    return Item(document=document, currency=row.currency, amount=amount, rate=books.balance_rate(row))
