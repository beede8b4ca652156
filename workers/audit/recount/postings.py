"""A posting is what one document adds to one account; the ledger keeps them, and sums are taken over them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from workers.audit.recount.rates import Rate
from workers.audit.recount.rounding import shown

# sales: accrual revenue without tax. billed: the same with tax. revenue, expenses: without tax, on the tenant's basis.
# money_in, money_out: tax included, what goes out negative. decided, activity: documents behind a count or ratio.
# open: what invoices are owed. credit: what clients have left. unused_note: the credit notes' part of it. open_quote.
# expected_in, expected_out: the coming days; what is on an earlier day is on none. vendor_credit: lessens what goes out.
Account = Literal[
    "sales", "billed", "revenue", "expenses", "money_in", "money_out", "decided", "activity",
    "open", "open_yesterday", "credit", "unused_note", "open_quote", "expected_in", "expected_out",
    "vendor_credit",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """amount: in the document's currency, rounded to its minor unit, signed as the account counts it.

    base: the same in base units, rounded, None without a rate. rate: the one that was taken, or wanted and not found (of
    a left-over that may be the rate of another currency than its own).
    due_date, issued_on, won: what the statements ask of balances and quotes.
    """

    account: Account
    document: tuple[str, str]
    day: date
    currency: str
    amount: Fraction
    base: Fraction | None
    rate: Rate
    client: str | None = None
    vendor: str | None = None
    category: str | None = None
    odd: bool = False
    due_date: date | None = None
    issued_on: date | None = None
    won: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconverted:
    """Money left out for want of a rate, in its own currency."""

    amount: Decimal
    documents: int


LeftOut = Mapping[str, Unconverted]


class Ledger:
    """All postings of one tenant, by account and day."""

    def __init__(self, postings: Iterable[Posting]) -> None:
        self._days: dict[Account, dict[date, list[Posting]]] = defaultdict(lambda: defaultdict(list))
        for posting in postings:
            self._days[posting.account][posting.day].append(posting)

    def between(self, account: Account, first: date, last: date) -> list[Posting]:
        """The postings of the days first..last."""
        days = self._days[account]
        return [posting for day in sorted(days) if first <= day <= last for posting in days[day]]

    def on(self, account: Account, day: date) -> list[Posting]:
        return list(self._days[account].get(day, ()))

    def all(self, account: Account) -> list[Posting]:
        return [posting for postings in self._days[account].values() for posting in postings]


def total(postings: Sequence[Posting]) -> Fraction | None:
    """Sum in base units of what converts; 0 without postings, None when there are some and none converts."""
    known = [posting.base for posting in postings if posting.base is not None]
    return sum(known, Fraction(0)) if known or not postings else None


def negative(postings: Iterable[Posting]) -> list[Posting]:
    """The same on the other side."""
    return [
        replace(posting, amount=-posting.amount, base=None if posting.base is None else -posting.base)
        for posting in postings
    ]


def documents(postings: Iterable[Posting]) -> set[tuple[str, str]]:
    return {posting.document for posting in postings}


def without_rate(postings: Iterable[Posting]) -> list[Posting]:
    return [posting for posting in postings if posting.base is None]


def left_out(*groups: Iterable[Posting]) -> dict[str, Unconverted]:
    """What `total` leaves out, by currency; a document counts once in each group."""
    amounts: dict[str, Fraction] = defaultdict(Fraction)
    counts: dict[str, int] = defaultdict(int)
    for group in groups:
        by_currency: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for posting in without_rate(group):
            amounts[posting.currency] += posting.amount
            by_currency[posting.currency].add(posting.document)
        for currency, ids in by_currency.items():
            counts[currency] += len(ids)
    return {
        currency: Unconverted(amount=shown(amount, currency) or Decimal(), documents=counts[currency])
        for currency, amount in amounts.items()
    }


def lacking(postings: Iterable[Posting]) -> frozenset[str]:
    """The currencies for want of whose rates something is left out."""
    return frozenset(posting.rate.currency for posting in without_rate(postings))
