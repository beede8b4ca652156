"""The fate of invoices and credit notes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from workers.audit.recount.books import DAY, Row
from workers.audit.recount.desk import Desk, name_of, net, tax_is_odd
from workers.audit.recount.expectations import expected_from_invoice
from workers.audit.recount.links import NOTHING
from workers.audit.recount.postings import Account, Posting
from workers.audit.recount.rounding import to_minor_unit


def fate_of_invoice(desk: Desk, row: Row) -> Iterator[Posting]:
    """Sold on its issue date; owed until it is settled, and expected when due or when its payment is announced."""
    yield from _issued(desk, row, 1)
    rate = desk.rates.of_flow(row, row["issue_date"])
    particulars = {"client": row.get("client_id"), "odd": is_odd(desk, row)}
    yield from desk.post(["activity"], name_of(row), Fraction(row["total"]), rate, row["issue_date"], **particulars)
    dates = {"due_date": row.get("due_date"), "issued_on": row["issue_date"]}
    before = balance_of_yesterday(desk, row)
    if to_minor_unit(before, row["currency"]):
        closed = desk.books.today - DAY
        rate = desk.rates.of_balance(row, closed)
        yield from desk.post(["open_yesterday"], name_of(row), before, rate, closed, **particulars, **dates)
    balance = balance_of(desk, row)
    # A residue that no coin can pay is not owed.
    if to_minor_unit(balance, row["currency"]):
        rate = desk.rates.of_balance(row)
        yield from desk.post(["open"], name_of(row), balance, rate, desk.books.today, **particulars, **dates)
        yield from expected_from_invoice(desk, row, balance)


def fate_of_credit_note(desk: Desk, row: Row) -> Iterator[Posting]:
    """Taken back from sales on its issue date; what is not used of it is its client's from that day on."""
    yield from _issued(desk, row, -1)
    if row["issue_date"] <= desk.books.today:
        accounts: list[Account] = ["unused_note"] if desk.books.links_unknown else ["unused_note", "credit"]
        left = desk.remains.of_credit_note(row)
        yield from desk.post_left_over(accounts, row, left, sign=1, client=row.get("client_id"))


def balance_of(desk: Desk, row: Row) -> Fraction:
    """What is owed for an invoice, exactly, in its own currency."""
    written_off_on = row.get("written_off_on")
    if written_off_on is not None and written_off_on <= desk.books.today:
        return NOTHING
    if row.get("balance") is not None:
        return max(NOTHING, Fraction(row["balance"]))
    return Fraction(row["total"]) - desk.links.settled.get(row["invoice_id"], NOTHING)


def balance_of_yesterday(desk: Desk, row: Row) -> Fraction:
    """What was owed for it at the end of yesterday: without what today's links have settled."""
    written_off_on, today = row.get("written_off_on"), desk.books.today
    if row["issue_date"] >= today or (written_off_on is not None and written_off_on < today):
        return NOTHING
    before = desk.links.settled_before_today.get(row["invoice_id"], NOTHING)
    if row.get("balance") is None:
        return Fraction(row["total"]) - before
    return max(NOTHING, Fraction(row["balance"])) + desk.links.settled.get(row["invoice_id"], NOTHING) - before


def is_odd(desk: Desk, row: Row) -> bool:
    """Whether an invoice or credit note has an anomaly; only invoices need a due date."""
    lacks_due_date = row["kind"] == "invoice" and row.get("due_date") is None
    return lacks_due_date or row["issue_date"] > desk.books.today or tax_is_odd(row)


def _issued(desk: Desk, row: Row, sign: int) -> Iterator[Posting]:
    day = row["issue_date"]
    rate = desk.rates.of_flow(row, day)
    particulars = {
        "client": row.get("client_id"),
        "odd": is_odd(desk, row),
        "issued_on": day,
        "due_date": row.get("due_date") if sign > 0 else None,
    }
    accounts: list[Account] = ["sales"] if desk.books.on_cash_basis else ["sales", "revenue"]
    yield from desk.post(accounts, name_of(row), sign * net(row), rate, day, **particulars)
    yield from desk.post(["billed"], name_of(row), sign * Fraction(row["total"]), rate, day, **particulars)
