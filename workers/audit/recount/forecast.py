"""The cash forecast: what is expected in and out on each of the coming 30 days, and what the accounts then hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from workers.audit.recount.books import DAY, Books
from workers.audit.recount.expectations import FORECAST_DAYS
from workers.audit.recount.periods import Periods
from workers.audit.recount.postings import Ledger, LeftOut, Posting, left_out, negative, total, without_rate
from workers.audit.recount.rounding import shown, to_minor_unit


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastDay:
    """One coming day."""

    inflow: Decimal | None
    outflow: Decimal | None
    cumulative: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """opening_balance: what the accounts held at the end of yesterday, None if nobody says. postings: all that the
    forecast looks at; left_out: what of it has no rate."""

    opening_balance: Decimal | None
    days: Mapping[str, ForecastDay]
    left_out: LeftOut
    postings: Sequence[Posting]


def forecast(periods: Periods) -> Forecast:
    """From today on."""
    books, ledger = periods.books, periods.ledger
    last = books.today + (FORECAST_DAYS - 1) * DAY
    incoming = ledger.between("expected_in", books.today, last)
    bills, vendor_credits = _bills(ledger)
    outgoing = [bill for bill in bills if books.today <= bill.day <= last]
    opening, moved = _opening(periods)
    expected = [*incoming, *outgoing, *vendor_credits]
    return Forecast(
        opening_balance=shown(opening, books.base),
        days=_days(books, incoming, outgoing, opening or Fraction(0)),
        left_out=left_out(expected, moved),
        postings=[*expected, *moved],
    )


def _days(
    books: Books, incoming: Sequence[Posting], outgoing: Sequence[Posting], held: Fraction
) -> dict[str, ForecastDay]:
    days = {}
    for number in range(FORECAST_DAYS):
        day = books.today + number * DAY
        inflow = total([posting for posting in incoming if posting.day == day])
        outflow = total(negative(posting for posting in outgoing if posting.day == day))
        held += (inflow or 0) - (outflow or 0)
        days[day.isoformat()] = ForecastDay(
            inflow=shown(inflow, books.base),
            outflow=shown(outflow, books.base),
            cumulative=shown(held, books.base) or Decimal(),
        )
    return days


def _bills(ledger: Ledger) -> tuple[list[Posting], list[Posting]]:
    """What is to be paid, after each vendor's credits have paid what that vendor is owed first; and those credits that
    have no rate, which pay nothing."""
    credits = ledger.all("vendor_credit")
    left: dict[str | None, Fraction] = defaultdict(Fraction)
    for credit in credits:
        left[credit.vendor] += credit.base or Fraction(0)
    bills = []
    for bill in sorted(ledger.all("expected_out"), key=lambda posting: (posting.day, posting.document)):
        if bill.vendor is None or bill.base is None:
            bills.append(bill)
            continue
        paid = min(left[bill.vendor], -bill.base)
        left[bill.vendor] -= paid
        bills.append(replace(bill, base=bill.base + paid))
    return bills, without_rate(credits)


def _opening(periods: Periods) -> tuple[Fraction | None, Sequence[Posting]]:
    """The accounts' balance carried to the end of yesterday, and the money that moved since it was told (or, if it was
    told of a later day, that moves until then, on the other side)."""
    books = periods.books
    told, told_on = books.tenant.get("cash_balance"), books.tenant.get("cash_balance_on")
    if told is None or told_on is None:
        return None, ()
    told_on_day: date = told_on
    if told_on_day < books.today:
        moved = periods.cash_flow(told_on_day + DAY, books.today - DAY).postings
    else:
        moved = negative(periods.cash_flow(books.today, told_on_day).postings)
    return to_minor_unit(Fraction(told), books.base) + (total(moved) or Fraction(0)), moved
