"""The eight metrics: value, change, trend and confidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from statistics import median

from shared.currency import exponent
from shared.snapshot import ACTIVITY, CASH_FLOW, CONVERSION, EXPENSES, OVERDUE, PENDING, PROFIT, REVENUE, Trend
from workers.audit.recount.books import DAY, Books
from workers.audit.recount.clients import active_clients, conversion_ratio
from workers.audit.recount.overview import QUOTE_DAYS, RATIO_PLACES
from workers.audit.recount.periods import Figure, Periods
from workers.audit.recount.postings import Ledger, LeftOut, Posting, documents, left_out, total, without_rate
from workers.audit.recount.receivables import days_late, overdue
from workers.audit.recount.rounding import rounded, shown

# Before this share of the local day has passed, less than yesterday says nothing yet.
DOWN_AFTER = Fraction(3, 4)
PARTIAL_DAY, ALLOCATIONS_UNKNOWN = "partial_day", "allocations_unknown"
EVIDENCE_DAYS = 28
ACTIVITY_DAYS = 30
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """What a confidence is made of, each 0..1, four decimals."""

    sample: Decimal
    day: Decimal
    fx: Decimal
    quality: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric as it must be served; None = null, or for reason, amount and rebuilt absent."""

    value: Decimal | None
    previous: Decimal | None
    rebuilt: bool | None
    change: Decimal | None
    change_percent: Decimal | None
    trend: Trend
    good: bool | None
    reason: str | None
    amount: Decimal | None
    unconverted: LeftOut
    confidence: Decimal
    confidence_factors: Factors


def metrics(periods: Periods) -> dict[str, Metric]:
    """All eight, by name."""
    books, ledger = periods.books, periods.ledger
    owed = ledger.all("open")
    late = overdue(books, owed)
    owed_yesterday = ledger.all("open_yesterday")
    late_yesterday = [posting for posting in owed_yesterday if days_late(books, posting) > 1]
    return {
        REVENUE: _flow(books, REVENUE, periods.revenue),
        EXPENSES: _flow(books, EXPENSES, periods.expenses),
        PROFIT: _flow(books, PROFIT, periods.profit),
        CASH_FLOW: _flow(books, CASH_FLOW, periods.cash_flow),
        PENDING: _count_of_invoices(
            books,
            PENDING,
            owed,
            [posting for posting in owed if days_late(books, posting) <= 0],
            yesterday=len(owed_yesterday) - len(late_yesterday),
        ),
        OVERDUE: _count_of_invoices(books, OVERDUE, owed, late, yesterday=len(late_yesterday)),
        CONVERSION: _conversion(books, ledger),
        ACTIVITY: _activity(books, ledger),
    }


def _flow(books: Books, name: str, figure: Callable[[date, date], Figure]) -> Metric:
    """A metric of today-so-far against the whole of yesterday."""
    today, places = books.today, exponent(books.base)
    now, before = figure(today, today), figure(today - DAY, today - DAY)
    values = [figure(day, day).value for day in (today - ago * DAY for ago in range(1, EVIDENCE_DAYS + 1))]
    typical = median(abs(value or Fraction(0)) for value in values)
    unknown = books.links_unknown and books.on_cash_basis and name in (REVENUE, PROFIT)
    return _metric(
        books,
        name,
        value=now.value,
        previous=before.value,
        places=places,
        has_percent=now.is_whole and before.is_whole,
        least_band=max(typical / 10, Fraction(1, 10**places)),
        unconverted=now.left_out,
        evidence=figure(today - (EVIDENCE_DAYS - 1) * DAY, today).postings,
        is_flow=True,
        reason=ALLOCATIONS_UNKNOWN if unknown else None,
    )


def _count_of_invoices(
    books: Books, name: str, owed: Sequence[Posting], counted: Sequence[Posting], *, yesterday: int
) -> Metric:
    """Pending or overdue: a number of invoices now, against yesterday's close as it was kept. Where no day's ever was,
    against `yesterday`, what it must have been."""
    column = "pending" if name == PENDING else "overdue"
    closes = [close[column] for close in books.closes if close["local_date"] == books.today - DAY]
    first_day = not any(close["local_date"] < books.today for close in books.closes)
    if first_day:
        closes = [yesterday]
    return _metric(
        books,
        name,
        value=Fraction(len(counted)),
        previous=Fraction(closes[0]) if closes else None,
        places=0,
        amount=shown(total(counted), books.base),
        unconverted=left_out(counted),
        evidence=owed,
        rebuilt=first_day or None,
    )


def _conversion(books: Books, ledger: Ledger) -> Metric:
    first = books.today - (QUOTE_DAYS - 1) * DAY
    decided = ledger.between("decided", first, books.today)
    before = ledger.between("decided", first - QUOTE_DAYS * DAY, first - DAY)
    return _metric(
        books,
        CONVERSION,
        value=_four_decimals(conversion_ratio(decided)),
        previous=_four_decimals(conversion_ratio(before)),
        places=RATIO_PLACES,
        unconverted=left_out(decided),
        evidence=decided,
    )


def _activity(books: Books, ledger: Ledger) -> Metric:
    first = books.today - (ACTIVITY_DAYS - 1) * DAY
    active = ledger.between("activity", first, books.today)
    before = ledger.between("activity", first - ACTIVITY_DAYS * DAY, first - DAY)
    return _metric(
        books,
        ACTIVITY,
        value=Fraction(len(active_clients(active))),
        previous=Fraction(len(active_clients(before))),
        places=0,
        unconverted=left_out(active),
        evidence=active,
    )


def _metric(
    books: Books,
    name: str,
    *,
    value: Fraction | None,
    previous: Fraction | None,
    places: int,
    unconverted: LeftOut,
    evidence: Sequence[Posting],
    has_percent: bool = True,
    least_band: Fraction = Fraction(0),
    amount: Decimal | None = None,
    is_flow: bool = False,
    reason: str | None = None,
    rebuilt: bool | None = None,
) -> Metric:
    """`value` and `previous` are what is shown, so whatever is decided here is decided on that."""
    change = None if value is None or previous is None else value - previous
    trend, too_early = _trend(books, change, previous, least_band, is_flow)
    good_direction = GOOD_DIRECTION[name]
    percent = 100 * change / abs(previous) if has_percent and change is not None and previous else None
    confidence, factors = _confidence(books, evidence, is_flow)
    return Metric(
        value=_decimal(value, places),
        previous=_decimal(previous, places),
        rebuilt=rebuilt,
        change=_decimal(change, places),
        change_percent=_decimal(percent, 1),
        trend=trend,
        good=None if trend == "stable" or good_direction is None else trend == good_direction,
        reason=reason or too_early,
        amount=amount,
        unconverted=unconverted,
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
        return ("stable", PARTIAL_DAY) if too_early else ("down", None)
    return "stable", None


def _confidence(books: Books, evidence: Sequence[Posting], is_flow: bool) -> tuple[Decimal, Factors]:
    n = len(documents(evidence))
    sample = Fraction(n, n + 10)
    day = books.elapsed_share() if is_flow else Fraction(1)
    fx = 1 - Fraction(len(documents(without_rate(evidence))), n or 1)
    quality = 1 - Fraction(len(documents(posting for posting in evidence if posting.odd)), n or 1)
    return rounded(sample * day * fx * quality, RATIO_PLACES), Factors(
        sample=rounded(sample, RATIO_PLACES),
        day=rounded(day, RATIO_PLACES),
        fx=rounded(fx, RATIO_PLACES),
        quality=rounded(quality, RATIO_PLACES),
    )


def _four_decimals(ratio: Fraction | None) -> Fraction | None:
    return None if ratio is None else Fraction(rounded(ratio, RATIO_PLACES))


def _decimal(value: Fraction | None, places: int) -> Decimal | None:
    return None if value is None else rounded(value, places)
