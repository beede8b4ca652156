"""The other blocks of the overview: series, top clients, quotes, expense categories, and what each of them leaves out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from workers.audit.recount.books import DAY, Books
from workers.audit.recount.clients import conversion_ratio
from workers.audit.recount.forecast import Forecast
from workers.audit.recount.history import months_left_out
from workers.audit.recount.periods import Periods
from workers.audit.recount.postings import Ledger, LeftOut, Posting, left_out, total, without_rate
from workers.audit.recount.rounding import rounded, shown

RATIO_PLACES = 4
SERIES_DAYS = 30
CATEGORY_DAYS = 30
CLIENT_DAYS = 90
QUOTE_DAYS = 90
MOST_CLIENTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDay:
    """The flows of one local day."""

    revenue: Decimal | None
    expenses: Decimal | None
    cash: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TopClient:
    """A client's sales of 90 days."""

    client_id: str | None
    name: str | None
    revenue: Decimal | None
    share: Decimal | None
    documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpenseCategory:
    """A category's expenses of 30 days."""

    category: str | None
    amount: Decimal | None
    share: Decimal | None
    documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotes:
    """Quotes that are open, and those decided in 90 days."""

    open_count: int
    open_amount: Decimal | None
    won: int
    lost: int
    conversion: Decimal | None


def series(periods: Periods) -> dict[str, SeriesDay]:
    """Each of the 30 local days up to today."""
    books = periods.books
    days = [books.today - ago * DAY for ago in reversed(range(SERIES_DAYS))]
    return {
        day.isoformat(): SeriesDay(
            revenue=shown(periods.revenue(day, day).value, books.base),
            expenses=shown(periods.expenses(day, day).value, books.base),
            cash=shown(periods.cash_flow(day, day).value, books.base),
        )
        for day in days
    }


def top_clients(books: Books, ledger: Ledger) -> list[TopClient]:
    """The clients with the highest sales, those of unknown amount last."""
    ranked = _ranked(_by(ledger, _sales(books, ledger), "client"))
    return [
        TopClient(
            client_id=client_id,
            name=None if client_id is None else books.client_names.get(client_id),
            revenue=shown(amount, books.base),
            share=share,
            documents=documents,
        )
        for client_id, amount, share, documents in ranked[:MOST_CLIENTS]
    ]


def expense_categories(periods: Periods) -> list[ExpenseCategory]:
    """The categories by amount, those of unknown amount last."""
    ranked = _ranked(_by(periods.ledger, _recent_costs(periods), "category"))
    return [
        ExpenseCategory(category=category, amount=shown(amount, periods.books.base), share=share, documents=documents)
        for category, amount, share, documents in ranked
    ]


def quotes(books: Books, ledger: Ledger) -> Quotes:
    """The pipeline now, and the decisions of 90 days."""
    waiting = ledger.all("open_quote")
    decided = ledger.between("decided", books.today - (QUOTE_DAYS - 1) * DAY, books.today)
    conversion = conversion_ratio(decided)
    won = sum(posting.won for posting in decided)
    return Quotes(
        open_count=len(waiting),
        open_amount=shown(total(waiting), books.base),
        won=won,
        lost=len(decided) - won,
        conversion=None if conversion is None else rounded(conversion, RATIO_PLACES),
    )


def left_out_of_blocks(periods: Periods, forecast: Forecast) -> dict[str, LeftOut]:
    """What each block misses for want of a rate, over all of its rows."""
    books, ledger = periods.books, periods.ledger
    first = books.today - (SERIES_DAYS - 1) * DAY
    flows = (periods.revenue, periods.expenses, periods.cash_flow)
    return {
        "receivables": left_out(ledger.all("open")),
        "customer_credit": left_out(ledger.all("credit")),
        "series": left_out(*(flow(first, books.today).postings for flow in flows)),
        "top_clients": left_out(_sales(books, ledger)),
        "cash_forecast": forecast.left_out,
        "quotes": left_out(ledger.all("open_quote")),
        "expense_categories": left_out(_recent_costs(periods)),
        "months": left_out(*(figure.postings for figure in months_left_out(periods))),
    }


Ranked = tuple[str | None, Fraction | None, Decimal | None, int]


def _sales(books: Books, ledger: Ledger) -> list[Posting]:
    return ledger.between("sales", books.today - (CLIENT_DAYS - 1) * DAY, books.today)


def _recent_costs(periods: Periods) -> Sequence[Posting]:
    today = periods.books.today
    return periods.expenses(today - (CATEGORY_DAYS - 1) * DAY, today).postings


def _by(ledger: Ledger, postings: Sequence[Posting], particular: str) -> dict[str | None, list[Posting]]:
    groups: dict[str | None, list[Posting]] = defaultdict(list)
    for posting in postings:
        groups[getattr(posting, particular)].append(posting)
    return groups


def _ranked(groups: Mapping[str | None, Sequence[Posting]]) -> list[Ranked]:
    """(key, amount, share, documents), highest first. Shares are of the positive rows' sum, and of nothing that is
    known in part."""
    amounts = {key: total(postings) for key, postings in groups.items()}
    whole = sum((amount for amount in amounts.values() if amount is not None and amount > 0), Fraction(0))
    complete = not any(without_rate(postings) for postings in groups.values())

    def share(amount: Fraction | None) -> Decimal | None:
        return rounded(amount / whole, RATIO_PLACES) if complete and amount is not None and amount > 0 else None

    def order(key: str | None) -> tuple[bool, Fraction, bool, str]:
        amount = amounts[key]
        return amount is None, -(amount or Fraction(0)), key is None, key or ""

    return [(key, amounts[key], share(amounts[key]), len(groups[key])) for key in sorted(groups, key=order)]
