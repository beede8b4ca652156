"""What documents and templates let expect of the coming days: their part in the cash forecast."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction

from workers.audit.recount.books import DAY, Books, Row
from workers.audit.recount.desk import Desk, name_of
from workers.audit.recount.postings import Account, Posting

FORECAST_DAYS = 30


def expected_from_invoice(desk: Desk, row: Row, balance: Fraction) -> Iterator[Posting]:
    """An open balance: what payments of the coming days bring, each on its date, and the rest when it is due.

    The rest of an overdue one is on no day: nobody knows when it comes. The pieces add up to the rounded balance.
    """
    today = desk.books.today
    due_date: date = row.get("due_date") or today
    pieces: list[tuple[date, Fraction]] = []
    rest = balance
    for link in desk.links.announced.get(row["invoice_id"], ()):
        piece = min(rest, link.asked)
        if piece:
            pieces.append((link.day, piece))
            rest -= piece
    if rest:
        pieces.append((due_date if due_date >= today else today - DAY, rest))
    rate = desk.rates.of_balance(row)
    if pieces[0][1] == balance:
        yield from desk.post(["expected_in"], name_of(row), balance, rate, pieces[0][0])
        return
    (whole,) = desk.post(["expected_in"], name_of(row), balance, rate, today)
    own_left, base_left = whole.amount, whole.base
    for number, (day, piece) in enumerate(pieces, start=1):
        (part,) = desk.post(["expected_in"], name_of(row), piece, rate, day)
        last = number == len(pieces)
        own, base = (own_left, base_left) if last else (part.amount, part.base)
        own_left -= own
        if base_left is not None and base is not None:
            base_left -= base
        yield Posting(
            account="expected_in",
            document=part.document,
            day=day,
            currency=part.currency,
            amount=own,
            base=base,
            rate=rate,
        )


def expected_of_expense(desk: Desk, row: Row) -> Iterator[Posting]:
    """A bill that is not paid: on the day its payment is ordered for, else when it is due, today if that has passed.

    A vendor's credit lessens what the same vendor is owed; without a vendor, nobody.
    """
    today, total = desk.books.today, Fraction(row["total"])
    vendor = row.get("vendor")
    if total < 0 and vendor is None:
        return
    if total:
        accounts: list[Account] = ["expected_out" if total > 0 else "vendor_credit"]
        day = row.get("paid_on") or max(row.get("due_date") or today, today)
        yield from desk.post(accounts, name_of(row), -total, desk.rates.of_balance(row), day, vendor=vendor)


def expected_from_template(desk: Desk, row: Row) -> Iterator[Posting]:
    """A template's occurrences that no document stands for yet; of those that were missed one comes today."""
    is_invoice = row["kind"] == "invoice"
    account: Account = "expected_in" if is_invoice else "expected_out"
    amount = Fraction(row["amount"]) if is_invoice else -Fraction(row["amount"])
    rate = desk.rates.of_day(row["currency"], desk.books.today)
    terms = timedelta(days=(row.get("terms_days") or 0) if is_invoice else 0)
    for number, day in enumerate(_coming(desk.books, row)):
        yield from desk.post([account], ("recurring", f"{row['recurring_id']}#{number}"), amount, rate, day + terms)


def _coming(books: Books, row: Row) -> list[date]:
    """The days of the occurrences still to come, those of today on, within the forecast."""
    newest = books.newest_of_template.get((row["kind"], row["recurring_id"]))
    waiting = [day for day in _occurrences(books, row) if newest is None or day > newest]
    missed = any(day < books.today for day in waiting)
    return [books.today] * missed + [day for day in waiting if day >= books.today]


def _occurrences(books: Books, row: Row) -> Iterator[date]:
    first: date | None = row.get("next_on")
    if first is None:
        return
    last = min(row.get("ends_on") or date.max, books.today + (FORECAST_DAYS - 1) * DAY)
    step = 0
    day = first
    while day <= last:
        yield day
        step += row["interval_count"]
        day = _later(first, row["interval_unit"], step)


def _later(day: date, unit: str, count: int) -> date:
    """So many intervals after `day`; a day that its month does not have is the month's last."""
    if unit in ("day", "week"):
        days = count * (7 if unit == "week" else 1)
        return day + days * DAY if days < (date.max - day).days else date.max
    months = day.year * 12 + day.month - 1 + count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
