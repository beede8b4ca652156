"""Where a document becomes postings: the desk has the books, the rates and the links at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from workers.audit.recount.books import Books, Row
from workers.audit.recount.left_over import LeftOver, Remains
from workers.audit.recount.links import Links
from workers.audit.recount.postings import Account, Posting
from workers.audit.recount.rates import Rate, Rates
from workers.audit.recount.rounding import to_minor_unit

# A quote also names its invoice, so its own id is looked for first.
ID_COLUMNS = {"quote": "quote_id", "payment": "payment_id", "expense": "expense_id", "invoice": "invoice_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Writes the postings of one document after the other."""

    books: Books
    rates: Rates
    links: Links
    remains: Remains

    def post(
        self,
        accounts: Iterable[Account],
        document: tuple[str, str],
        amount: Fraction,
        rate: Rate,
        day: date,
        **particulars: Any,
    ) -> Iterator[Posting]:
        """One document's amount on these accounts: rounded in its own currency, and once on its way to base units."""
        own = to_minor_unit(amount, rate.currency)
        if rate.currency == self.books.base:
            base: Fraction | None = own
        else:
            base = None if rate.value is None else to_minor_unit(amount * rate.value, self.books.base)
        for account in accounts:
            yield Posting(
                account=account,
                document=document,
                day=day,
                currency=rate.currency,
                amount=own,
                base=base,
                rate=rate,
                **particulars,
            )

    def post_left_over(
        self, accounts: Iterable[Account], row: Row, left: LeftOver, *, sign: int, client: str | None
    ) -> Iterator[Posting]:
        """What a client has left of a payment or credit note, or (minus) of a refund, at today's rate."""
        own = to_minor_unit(left.amount, row["currency"])
        if not own:
            return
        if left.lacks is None:
            rate = self.rates.of_balance(row)
            yield from self.post(accounts, name_of(row), sign * left.amount, rate, self.books.today, client=client)
            return
        for account in accounts:
            yield Posting(
                account=account,
                document=name_of(row),
                day=self.books.today,
                currency=row["currency"],
                amount=sign * own,
                base=None,
                rate=left.lacks,
                client=client,
            )


def name_of(row: Row) -> tuple[str, str]:
    """The table and the id: what tells a document from all others."""
    for kind, column in ID_COLUMNS.items():
        if column in row:
            return kind, row[column]
    raise ValueError("a row without an id")


def net(row: Row) -> Fraction:
    """Total without tax."""
    return Fraction(row["total"]) - Fraction(row.get("tax") or 0)


def tax_is_odd(row: Row) -> bool:
    """Whether a document's tax is missing or larger than the document: an anomaly."""
    tax = row.get("tax")
    return tax is None or abs(row["total"]) < abs(tax)
