"""Quotes and the days they were decided on, and the clients who did something in a period."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

from sqlalchemy import Row

from workers.audit.recount.books import DAY, Books
from workers.audit.recount.flows import invoice_is_odd
from workers.audit.recount.items import Item

WON = ("accepted", "converted")


def decided_quotes(books: Books, first: date, last: date) -> list[Row[Any]]:
    """Quotes won or lost in the local days first..last, by decision date."""
    return [
        quote
        for quote in books.quotes
        for day in [_decided_on(books, quote)]
        if day is not None and first <= day <= last
    ]


def quote_items(books: Books, quotes: list[Row[Any]]) -> list[Item]:
    """Quotes as documents; their rate is that of the issue date."""
    return [
        Item(
            document=("quote", quote.quote_id),
            currency=quote.currency,
            amount=Fraction(quote.total),
            rate=books.flow_rate(quote, quote.issue_date),
            anomalous=quote.issue_date > books.today,
        )
        for quote in quotes
    ]


def conversion_ratio(books: Books, first: date, last: date) -> Fraction | None:
    """Share of the quotes decided first..last that were won, 0..1; None when none was decided."""
    quotes = decided_quotes(books, first, last)
    return Fraction(sum(quote.status in WON for quote in quotes), len(quotes)) if quotes else None


def active_clients(books: Books, first: date, last: date) -> set[str]:
    """Clients invoiced, paying, or saying yes to a quote in the local days first..last."""
    invoices, payments, quotes = _activity(books, first, last)
    return {row.client_id for row in (*invoices, *payments, *quotes) if row.client_id is not None}


def activity_items(books: Books, first: date, last: date) -> list[Item]:
    """The documents behind client activity, with or without a client."""
    invoices, payments, quotes = _activity(books, first, last)
    issued = [
        Item(
            document=("invoice", row.invoice_id),
            currency=row.currency,
            amount=Fraction(row.total),
            rate=books.flow_rate(row, row.issue_date),
            anomalous=invoice_is_odd(books, row),
        )
        for row in invoices
    ]
    paid = [
        Item(
            document=("payment", row.payment_id),
            currency=row.currency,
            amount=Fraction(row.amount),
            rate=books.flow_rate(row, row.paid_on),
        )
        for row in payments
    ]
    return issued + paid + quote_items(books, quotes)


def _activity(books: Books, first: date, last: date) -> tuple[list[Row[Any]], list[Row[Any]], list[Row[Any]]]:
    return (
        [row for row in books.invoices if first <= row.issue_date <= last],
        [row for row in books.payments if first <= row.paid_on <= last],
        [quote for quote in decided_quotes(books, first, last) if quote.status in WON],
    )


def _decided_on(books: Books, quote: Row[Any]) -> date | None:
    """When a quote was won or lost; None while a sent one can still be answered."""
    if quote.status == "sent":
        past_expiry = quote.expiry_date is not None and quote.expiry_date < books.today
        return quote.expiry_date + DAY if past_expiry else None
    if quote.decided_on is not None:
        return quote.decided_on  # type: ignore[no-any-return]
    if quote.status == "expired" and quote.expiry_date is not None:
        return quote.expiry_date + DAY  # type: ignore[no-any-return]
    return quote.issue_date  # type: ignore[no-any-return]
