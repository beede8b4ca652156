"""The performance score and its six components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from workers.audit.recount.balances import OpenInvoice
from workers.audit.recount.books import DAY, Books
from workers.audit.recount.decisions import active_clients, conversion_ratio, decided_quotes
from workers.audit.recount.flows import cash_in, cash_out, profit_total, revenue, sales
from workers.audit.recount.items import rounded, total
from workers.audit.recount.metrics import RATIO_PLACES

WEIGHTS = {
    "profitability": Fraction("0.25"),
    "growth": Fraction("0.15"),
    "cash": Fraction("0.20"),
    "collections": Fraction("0.25"),
    "pipeline": Fraction("0.10"),
    "clients": Fraction("0.05"),
}
POINTS_PLACES = 2
DAYS_PLACES = 1
LEAST_COVERAGE = Fraction(1, 2)
LEAST_DECIDED_QUOTES = 3
SALES_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Collections:
    """Raw values of the collections component; None = no data."""

    overdue_share: Decimal | None
    days_over_terms: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Raw value and points 0..100 of one component; None = no data."""

    weight: Decimal
    value: Decimal | Collections | None
    points: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The score 0..100, None below half coverage."""

    value: Decimal | None
    coverage: Decimal
    components: Mapping[str, Component]


def score(books: Books, owed: Sequence[OpenInvoice]) -> Score:
    """Score and components. `owed`: the open invoices."""
    collected, collections_points = _collections(books, owed)
    raw = {"profitability": _profitability(books), "growth": _growth(books), "cash": _cash(books)}
    raw |= {"pipeline": _pipeline(books), "clients": _clients(books)}
    points = {
        "profitability": _linear(raw["profitability"], "-0.20", "0.30"),
        "growth": _linear(raw["growth"], "-0.30", "0.20"),
        "cash": _linear(raw["cash"], "-0.5", "0.3"),
        "collections": collections_points,
        "pipeline": _linear(raw["pipeline"], "0", "0.60"),
        "clients": _linear(raw["clients"], "0.2", "0.8"),
    }
    known = {name: reached for name, reached in points.items() if reached is not None}
    coverage = sum((WEIGHTS[name] for name in known), Fraction(0))
    value = None
    if coverage >= LEAST_COVERAGE:
        value = sum((WEIGHTS[name] * reached for name, reached in known.items()), Fraction(0)) / coverage
    return Score(
        value=_round(value, POINTS_PLACES),
        coverage=rounded(coverage, POINTS_PLACES),
        components={
            name: Component(
                weight=rounded(weight, POINTS_PLACES),
                value=collected if name == "collections" else _round(raw[name], RATIO_PLACES),
                points=_round(points[name], POINTS_PLACES),
            )
            for name, weight in WEIGHTS.items()
        },
    )


def dso_days(books: Books, owed: Sequence[OpenInvoice]) -> Fraction | None:
    """Days of sales outstanding: what is owed now over the sales of the 90 days incl. today; None without sales."""
    outstanding = total([invoice.item for invoice in owed])
    sold = total(sales(books, books.today - (SALES_DAYS - 1) * DAY, books.today, with_tax=True))
    return outstanding / sold * SALES_DAYS if outstanding is not None and sold is not None and sold > 0 else None


def _profitability(books: Books) -> Fraction | None:
    first, last = books.today - 30 * DAY, books.today - DAY
    return _ratio(profit_total(books, first, last), total(revenue(books, first, last)))


def _growth(books: Books) -> Fraction | None:
    now = total(revenue(books, books.today - 30 * DAY, books.today - DAY))
    before = total(revenue(books, books.today - 60 * DAY, books.today - 31 * DAY))
    return _ratio(None if now is None or before is None else now - before, before)


def _cash(books: Books) -> Fraction | None:
    first, last = books.today - 30 * DAY, books.today - DAY
    inward, outward = total(cash_in(books, first, last)), total(cash_out(books, first, last))
    if inward is None or outward is None:
        return None
    return _ratio(inward - outward, max(inward, outward))


def _collections(books: Books, owed: Sequence[OpenInvoice]) -> tuple[Collections, Fraction | None]:
    outstanding = total([invoice.item for invoice in owed])
    overdue_share = _ratio(total([invoice.item for invoice in owed if invoice.overdue]), outstanding)
    dso, terms = dso_days(books, owed), _terms_days(books)
    days_over_terms = None if dso is None or terms is None else dso - terms
    parts = [
        (Fraction("0.6"), _linear(overdue_share, "0.5", "0")),
        (Fraction("0.4"), _linear(days_over_terms, "45", "0")),
    ]
    known = [(weight, points) for weight, points in parts if points is not None]
    value = Collections(
        overdue_share=_round(overdue_share, RATIO_PLACES), days_over_terms=_round(days_over_terms, DAYS_PLACES)
    )
    if not known:
        return value, None
    weighted = sum((weight * points for weight, points in known), Fraction(0))
    return value, weighted / sum((weight for weight, _ in known), Fraction(0))


def _terms_days(books: Books) -> Fraction | None:
    """Mean (due − issue) of the invoices of the 90 days that have a due date."""
    first = books.today - (SALES_DAYS - 1) * DAY
    terms = [
        (row.due_date - row.issue_date).days
        for row in books.invoices
        if row.due_date is not None and first <= row.issue_date <= books.today
    ]
    return Fraction(sum(terms), len(terms)) if terms else None


def _pipeline(books: Books) -> Fraction | None:
    first = books.today - 89 * DAY
    enough = len(decided_quotes(books, first, books.today)) >= LEAST_DECIDED_QUOTES
    return conversion_ratio(books, first, books.today) if enough else None


def _clients(books: Books) -> Fraction | None:
    before = active_clients(books, books.today - 60 * DAY, books.today - 31 * DAY)
    again = before & active_clients(books, books.today - 30 * DAY, books.today - DAY)
    return Fraction(len(again), len(before)) if before else None


def _ratio(part: Fraction | None, whole: Fraction | None) -> Fraction | None:
    return None if part is None or whole is None or whole <= 0 else part / whole


def _linear(value: Fraction | None, zero_at: str, hundred_at: str) -> Fraction | None:
    """0..100 points between two anchors, None for None."""
    if value is None:
        return None
    zero, hundred = Fraction(zero_at), Fraction(hundred_at)
    return 100 * min(Fraction(1), max(Fraction(0), (value - zero) / (hundred - zero)))


def _round(value: Fraction | None, places: int) -> Decimal | None:
    return None if value is None else rounded(value, places)
