"""The eleven periods with the ones before them, and the months: sums over all postings, whatever their age."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import Any

from workers.audit.recount.books import DAY
from workers.audit.recount.periods import Figure, Periods
from workers.audit.recount.rounding import rounded, shown

MONTHS = 24
PERCENT_PLACES = 1

Span = tuple[date, date]


def named_periods(periods: Periods) -> list[dict[str, Any]]:
    """Each period by its name, as it is to be served."""
    found = []
    for name, now, before in _spans(periods.books.today, periods.books.tenant.get("fiscal_year_start_month") or 1):
        figures, earlier = _figures(periods, now), _figures(periods, before)
        change = {number: _percent(periods.books.base, figures[number], earlier[number]) for number in figures}
        found.append(
            {"name": name, **_shown(periods, now), "previous": _shown(periods, before), "change_percent": change}
        )
    return found


def months(periods: Periods) -> list[dict[str, Any]]:
    """The current month to date and the 23 before it, the newest first."""
    today = periods.books.today
    found = []
    for ago in range(MONTHS):
        first = _month(today, -ago)
        span = (first, min(today, _month(today, 1 - ago) - DAY))
        amounts = {name: shown(figure.value, periods.books.base) for name, figure in _figures(periods, span).items()}
        del amounts["cash_flow"]
        found.append({"month": f"{first:%Y-%m}", **amounts})
    return found


def months_left_out(periods: Periods) -> list[Figure]:
    """What the numbers of all months are made of."""
    figures = _figures(periods, (_month(periods.books.today, 1 - MONTHS), periods.books.today))
    return [figures[name] for name in ("revenue", "expenses", "money_in", "money_out")]


def earliest_day(periods: Periods) -> date:
    """The first day of all periods."""
    spans = _spans(periods.books.today, periods.books.tenant.get("fiscal_year_start_month") or 1)
    return min(min(now[0], before[0]) for _, now, before in spans)


def _figures(periods: Periods, span: Span) -> dict[str, Figure]:
    return {
        "revenue": periods.revenue(*span),
        "expenses": periods.expenses(*span),
        "profit": periods.profit(*span),
        "money_in": periods.money_in(*span),
        "money_out": periods.money_out(*span),
        "cash_flow": periods.cash_flow(*span),
    }


def _shown(periods: Periods, span: Span) -> dict[str, Any]:
    figures, base = _figures(periods, span), periods.books.base
    return {
        "from": span[0],
        "to": span[1],
        **{name: shown(figure.value, base) for name, figure in figures.items()},
        "unconverted": {
            name: {currency: {"amount": left.amount, "documents": left.documents} for currency, left in found.items()}
            for name, figure in figures.items()
            if (found := figure.left_out)
        },
    }


def _percent(base: str, now: Figure, before: Figure) -> Any:
    value, previous = shown(now.value, base), shown(before.value, base)
    if value is None or not previous or not (now.is_whole and before.is_whole):
        return None
    return rounded(Fraction(value - previous) * 100 / Fraction(abs(previous)), PERCENT_PLACES)


def _spans(today: date, year_begins: int) -> Iterator[tuple[str, Span, Span]]:
    """Name, period, and the one before: of a period to date no more of it than there is."""
    yesterday, monday, month = today - DAY, today - today.weekday() * DAY, today.replace(day=1)
    year = date(today.year - (today.month < year_begins), year_begins, 1)
    quarter = year
    while _month(quarter, 3) <= today:
        quarter = _month(quarter, 3)

    def to_date(first: date, before: date) -> tuple[Span, Span]:
        return (first, today), (before, min(first - DAY, before + (today - first)))

    def whole(after: date, length: int) -> tuple[Span, Span]:
        first = _month(after, -length)
        return (first, after - DAY), (_month(first, -length), first - DAY)

    yield "today", (today, today), (yesterday, yesterday)
    yield "yesterday", (yesterday, yesterday), (yesterday - DAY, yesterday - DAY)
    yield "week_to_date", *to_date(monday, monday - 7 * DAY)
    yield "month_to_date", *to_date(month, _month(month, -1))
    yield "last_month", *whole(month, 1)
    yield "quarter_to_date", *to_date(quarter, _month(quarter, -3))
    yield "last_quarter", *whole(quarter, 3)
    yield "fiscal_year_to_date", *to_date(year, _month(year, -12))
    yield "last_fiscal_year", *whole(year, 12)
    yield "last_30_days", (today - 29 * DAY, today), (today - 59 * DAY, today - 30 * DAY)
    yield "last_12_months", (_year_ago(today, 1) + DAY, today), (_year_ago(today, 2) + DAY, _year_ago(today, 1))


def _month(day: date, later: int) -> date:
    """The first day of the month so many months later."""
    number = day.year * 12 + day.month - 1 + later
    return date(number // 12, number % 12 + 1, 1)


def _year_ago(day: date, years: int) -> date:
    year = day.year - years
    return date(year, day.month, min(day.day, calendar.monthrange(year, day.month)[1]))
