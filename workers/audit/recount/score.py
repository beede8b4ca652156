"""The performance score and its six components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from workers.audit.recount.books import DAY
from workers.audit.recount.clients import active_clients, conversion_ratio
from workers.audit.recount.overview import QUOTE_DAYS, RATIO_PLACES
from workers.audit.recount.periods import Figure, Periods
from workers.audit.recount.postings import Posting, lacking, total
from workers.audit.recount.receivables import DAYS_PLACES, SALES_DAYS, dso_days, overdue
from workers.audit.recount.rounding import rounded

WEIGHTS = {
    "profitability": Fraction("0.25"),
    "growth": Fraction("0.15"),
    "cash": Fraction("0.20"),
    "collections": Fraction("0.25"),
    "pipeline": Fraction("0.10"),
    "clients": Fraction("0.05"),
}
POINTS_PLACES = 2
LEAST_COVERAGE = Fraction(1, 2)
LEAST_DECIDED_QUOTES = 3
SCORE_DAYS = 30
NO_CURRENCY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Collections:
    """Raw values of the collections component; None = no data."""

    overdue_share: Decimal | None
    days_over_terms: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Raw value and points 0..100 of one component; None = no data. lacking: currencies that its reason must name."""

    weight: Decimal
    value: Decimal | Collections | None
    points: Decimal | None
    lacking: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The score 0..100, None below half coverage."""

    value: Decimal | None
    coverage: Decimal
    components: Mapping[str, Component]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ratio:
    """A ratio, None without data; `lacking`: because of these currencies."""

    value: Fraction | None
    lacking: frozenset[str] = NO_CURRENCY

    def points(self, zero_at: str, hundred_at: str) -> Fraction | None:
        """0..100 between two anchors, None for None."""
        if self.value is None:
            return None
        zero, hundred = Fraction(zero_at), Fraction(hundred_at)
        return 100 * min(Fraction(1), max(Fraction(0), (self.value - zero) / (hundred - zero)))


def score(periods: Periods) -> Score:
    """Score and components."""
    profitability, growth, cash = _profitability(periods), _growth(periods), _cash(periods)
    pipeline, clients = _pipeline(periods), _clients(periods)
    parts: dict[str, tuple[Decimal | Collections | None, Fraction | None, frozenset[str]]] = {
        "profitability": _part(profitability, "-0.20", "0.30"),
        "growth": _part(growth, "-0.30", "0.20"),
        "cash": _part(cash, "-0.5", "0.3"),
        "collections": _collections(periods),
        "pipeline": _part(pipeline, "0", "0.60"),
        "clients": _part(clients, "0.2", "0.8"),
    }
    known = {name: points for name, (_, points, _) in parts.items() if points is not None}
    coverage = sum((WEIGHTS[name] for name in known), Fraction(0))
    value = None
    if coverage >= LEAST_COVERAGE:
        value = sum((WEIGHTS[name] * points for name, points in known.items()), Fraction(0)) / coverage
    return Score(
        value=_round(value, POINTS_PLACES),
        coverage=rounded(coverage, POINTS_PLACES),
        components={
            name: Component(
                weight=rounded(WEIGHTS[name], POINTS_PLACES),
                value=raw,
                points=_round(points, POINTS_PLACES),
                lacking=currencies,
            )
            for name, (raw, points, currencies) in parts.items()
        },
    )


def _part(ratio: _Ratio, zero_at: str, hundred_at: str) -> tuple[Decimal | None, Fraction | None, frozenset[str]]:
    return _round(ratio.value, RATIO_PLACES), ratio.points(zero_at, hundred_at), ratio.lacking


def _profitability(periods: Periods) -> _Ratio:
    first, last = periods.books.today - SCORE_DAYS * DAY, periods.books.today - DAY
    return _of(periods.profit(first, last), periods.revenue(first, last))


def _growth(periods: Periods) -> _Ratio:
    last = periods.books.today - DAY
    first = last - (SCORE_DAYS - 1) * DAY
    now, before = periods.revenue(first, last), periods.revenue(first - SCORE_DAYS * DAY, first - DAY)
    difference = None if now.value is None or before.value is None else now.value - before.value
    return _of(Figure(value=difference, postings=now.postings), before)


def _cash(periods: Periods) -> _Ratio:
    first, last = periods.books.today - SCORE_DAYS * DAY, periods.books.today - DAY
    inward, outward = periods.money_in(first, last), periods.money_out(first, last)
    if inward.value is None or outward.value is None:
        return _Ratio(value=None, lacking=lacking([*inward.postings, *outward.postings]))
    more = Figure(value=max(inward.value, outward.value), postings=outward.postings)
    return _of(Figure(value=inward.value - outward.value, postings=inward.postings), more)


def _of(part: Figure, whole: Figure) -> _Ratio:
    """A ratio of money: of nothing, and of what is known in part, there is none."""
    missing = lacking([*part.postings, *whole.postings])
    if missing or part.value is None or whole.value is None or whole.value <= 0:
        return _Ratio(value=None, lacking=missing)
    return _Ratio(value=part.value / whole.value)


def _collections(periods: Periods) -> tuple[Collections, Fraction | None, frozenset[str]]:
    books, owed = periods.books, periods.ledger.all("open")
    late = overdue(books, owed)
    overdue_share = _of(_figure(late), _figure(owed))
    over_terms = _days_over_terms(periods)
    parts = [(Fraction("0.6"), overdue_share.points("0.5", "0")), (Fraction("0.4"), over_terms.points("45", "0"))]
    known = [(weight, points) for weight, points in parts if points is not None]
    value = Collections(
        overdue_share=_round(overdue_share.value, RATIO_PLACES), days_over_terms=_round(over_terms.value, DAYS_PLACES)
    )
    points = None
    if known:
        points = sum((w * p for w, p in known), Fraction(0)) / sum((w for w, _ in known), Fraction(0))
    return value, points, overdue_share.lacking | over_terms.lacking


def _days_over_terms(periods: Periods) -> _Ratio:
    """DSO less the mean days from issue to due date of the invoices that it looks at."""
    books, ledger = periods.books, periods.ledger
    billed = periods.billed(books.today - (SALES_DAYS - 1) * DAY, books.today)
    dso = dso_days(books, ledger)
    terms = [
        (posting.due_date - posting.issued_on).days
        for posting in billed.postings
        if posting.due_date is not None and posting.issued_on is not None
    ]
    if dso is None:
        owed = [posting for posting in ledger.all("open") if posting.issued_on and posting.issued_on <= books.today]
        return _Ratio(value=None, lacking=lacking([*owed, *ledger.all("unused_note"), *billed.postings]))
    return _Ratio(value=dso - Fraction(sum(terms), len(terms)) if terms else None)


def _pipeline(periods: Periods) -> _Ratio:
    today = periods.books.today
    decided = periods.ledger.between("decided", today - (QUOTE_DAYS - 1) * DAY, today)
    return _Ratio(value=conversion_ratio(decided) if len(decided) >= LEAST_DECIDED_QUOTES else None)


def _clients(periods: Periods) -> _Ratio:
    last = periods.books.today - DAY
    first = last - (SCORE_DAYS - 1) * DAY
    before = active_clients(periods.ledger.between("activity", first - SCORE_DAYS * DAY, first - DAY))
    again = before & active_clients(periods.ledger.between("activity", first, last))
    return _Ratio(value=Fraction(len(again), len(before)) if before else None)


def _figure(postings: Sequence[Posting]) -> Figure:
    return Figure(value=total(postings), postings=postings)


def _round(value: Fraction | None, places: int) -> Decimal | None:
    return None if value is None else rounded(value, places)
