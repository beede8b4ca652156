"""The fate of quotes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction

from workers.audit.recount.books import DAY, Row
from workers.audit.recount.desk import Desk, name_of
from workers.audit.recount.postings import Account, Posting

WON = ("accepted", "converted")


def fate_of_quote(desk: Desk, row: Row) -> Iterator[Posting]:
    """Open until the day it is decided on; a won one shows that its client is active."""
    today, amount = desk.books.today, Fraction(row["total"])
    decided_on = _decided_on(row, today)
    if decided_on is None or decided_on > today:
        yield from desk.post(["open_quote"], name_of(row), amount, desk.rates.of_balance(row), today)
    if decided_on is not None:
        won = row["status"] in WON
        accounts: list[Account] = ["decided", "activity"] if won else ["decided"]
        rate, odd = desk.rates.of_flow(row, row["issue_date"]), row["issue_date"] > today
        yield from desk.post(
            accounts, name_of(row), amount, rate, decided_on, odd=odd, won=won, client=row.get("client_id")
        )


def _decided_on(row: Row, today: date) -> date | None:
    """When a quote was won or lost; None while a sent one can still be answered."""
    status, expiry_date = row["status"], row.get("expiry_date")
    if status == "sent":
        return expiry_date + DAY if expiry_date is not None and expiry_date < today else None
    if row.get("decided_on") is not None:
        return row["decided_on"]  # type: ignore[no-any-return]
    if status == "expired" and expiry_date is not None:
        return expiry_date + DAY  # type: ignore[no-any-return]
    return row["issue_date"]  # type: ignore[no-any-return]
