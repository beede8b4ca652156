"""The eight metrics: value, change, trend and confidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from statistics import median

from shared.currency import exponent
from shared.snapshot import (
    ACTIVITY,
    CASH_FLOW,
    CONVERSION,
    EXPENSES,
    OVERDUE,
    PENDING,
    PROFIT,
    REVENUE,
    Trend,
)
from workers.audit.recount.balances import OpenInvoice
from workers.audit.recount.books import DAY, Books
from workers.audit.recount.decisions import (
    active_clients,
    activity_items,
    conversion_ratio,
    decided_quotes,
    quote_items,
)
from workers.audit.recount.flows import cash_flow, expenses, profit, profit_total, revenue
from workers.audit.recount.items import (
    Item,
    Unconverted,
    convertible_share,
    documents,
    rounded,
    sound_share,
    total,
    unconverted,
)

RATIO_PLACES = 4
# Before this share of the local day has passed, less than yesterday says nothing yet.
DOWN_AFTER = Fraction(3, 4)
GOOD_DIRECTION: dict[str, Trend | None] = {
    REVENUE: "up",
    EXPENSES: "down",
    PROFIT: "up",
    CASH_FLOW: "up",
    PENDING: None,
    OVERDUE: "down",
    CONVERSION: "up",
    ACTIVITY: "up",
}
FlowItems = Callable[[Books, date, date], list[Item]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """What a confidence is made of, each 0..1, four decimals."""

    sample: Decimal
    day: Decimal
    fx: Decimal
    quality: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric as it must be served; None = null, or for reason and amount absent."""

    value: Decimal | None
    previous: Decimal | None
    change: Decimal | None
    change_percent: Decimal | None
    trend: Trend
    good: bool | None
    reason: str | None
    amount: Decimal | None
    unconverted: Mapping[str, Unconverted]
    confidence: Decimal
    confidence_factors: Factors


def metrics(books: Books, owed: Sequence[OpenInvoice]) -> dict[str, Metric]:
    """All eight, by name. `owed`: the open invoices."""
    return {
        REVENUE: _flow(books, REVENUE, revenue),
        EXPENSES: _flow(books, EXPENSES, expenses),
        PROFIT: _flow(books, PROFIT, profit, profit_total),
        CASH_FLOW: _flow(books, CASH_FLOW, cash_flow),
        PENDING: _count_of_invoices(books, PENDING, owed, [invoice for invoice in owed if not invoice.overdue]),
        OVERDUE: _count_of_invoices(books, OVERDUE, owed, [invoice for invoice in owed if invoice.overdue]),
        CONVERSION: _conversion(books),
        ACTIVITY: _activity(books),
    }


def _flow(
    books: Books,
    name: str,
    items: FlowItems,
    amount: Callable[[Books, date, date], Fraction | None] | None = None,
) -> Metric:
    """A metric of today-so-far against the whole of yesterday."""

    def on(day: date) -> Fraction | None:
        return amount(books, day, day) if amount else total(items(books, day, day))

    today, places = books.today, exponent(books.base)
    previous = on(today - DAY)
    typical = median(abs(on(today - days * DAY) or Fraction(0)) for days in range(1, 29))
    return _metric(
        books,
        name,
        value=on(today),
        previous=previous,
        places=places,
        least_band=max(typical / 10, Fraction(1, 10**places)),
        shown=items(books, today, today),
        evidence=items(books, today - 27 * DAY, today),
        is_flow=True,
    )


def _count_of_invoices(books: Books, name: str, owed: Sequence[OpenInvoice], counted: Sequence[OpenInvoice]) -> Metric:
    """Pending or overdue: a number of invoices now, against yesterday's close."""
    column = "pending" if name == PENDING else "overdue"
    closes = [getattr(close, column) for close in books.closes if close.local_date == books.today - DAY]
    items = [invoice.item for invoice in counted]
    amount = total(items)
    return _metric(
        books,
        name,
        value=Fraction(len(counted)),
        previous=Fraction(closes[0]) if closes else None,
        places=0,
        amount=None if amount is None else rounded(amount, exponent(books.base)),
        shown=items,
        evidence=[invoice.item for invoice in owed],
    )


def _conversion(books: Books) -> Metric:
    today = books.today
    items = quote_items(books, decided_quotes(books, today - 89 * DAY, today))
    return _metric(
        books,
        CONVERSION,
        value=conversion_ratio(books, today - 89 * DAY, today),
        previous=conversion_ratio(books, today - 179 * DAY, today - 90 * DAY),
        places=RATIO_PLACES,
        shown=items,
        evidence=items,
    )


def _activity(books: Books) -> Metric:
    today = books.today
    items = activity_items(books, today - 29 * DAY, today)
    return _metric(
        books,
        ACTIVITY,
        value=Fraction(len(active_clients(books, today - 29 * DAY, today))),
        previous=Fraction(len(active_clients(books, today - 59 * DAY, today - 30 * DAY))),
        places=0,
        shown=items,
        evidence=items,
    )


def _metric(
    books: Books,
    name: str,
    *,
    value: Fraction | None,
    previous: Fraction | None,
    places: int,
    shown: Sequence[Item],
    evidence: Sequence[Item],
    least_band: Fraction = Fraction(0),
    amount: Decimal | None = None,
    is_flow: bool = False,
) -> Metric:
    change = None if value is None or previous is None else value - previous
    trend, reason = _trend(books, change, previous, least_band, is_flow)
    good_direction = GOOD_DIRECTION[name]
    confidence, factors = _confidence(books, evidence, is_flow)
    return Metric(
        value=None if value is None else rounded(value, places),
        previous=None if previous is None else rounded(previous, places),
        change=None if change is None else rounded(change, places),
        change_percent=rounded(100 * change / abs(previous), 1) if change is not None and previous else None,
        trend=trend,
        good=None if trend == "stable" or good_direction is None else trend == good_direction,
        reason=reason,
        amount=amount,
        unconverted=unconverted(shown),
        confidence=confidence,
        confidence_factors=factors,
    )


def _trend(
    books: Books, change: Fraction | None, previous: Fraction | None, least_band: Fraction, is_flow: bool
) -> tuple[Trend, str | None]:
    if change is None or previous is None or not books.have_documents:
        return "stable", None
    band = max(abs(previous) / 20, least_band)
    if change > band:
        return "up", None
    if change < -band:
        too_early = is_flow and books.elapsed_share() < DOWN_AFTER
        return ("stable", "partial_day") if too_early else ("down", None)
    return "stable", None


def _confidence(books: Books, evidence: Sequence[Item], is_flow: bool) -> tuple[Decimal, Factors]:
    n = len(documents(evidence))
    sample = Fraction(n, n + 10)
    day = books.elapsed_share() if is_flow else Fraction(1)
    fx, quality = convertible_share(evidence), sound_share(evidence)
    return rounded(sample * day * fx * quality, RATIO_PLACES), Factors(
        sample=rounded(sample, RATIO_PLACES),
        day=rounded(day, RATIO_PLACES),
        fx=rounded(fx, RATIO_PLACES),
        quality=rounded(quality, RATIO_PLACES),
    )
