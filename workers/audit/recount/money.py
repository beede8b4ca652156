"""The fate of payments and refunds."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from workers.audit.recount.books import Row
from workers.audit.recount.desk import Desk, name_of, net
from workers.audit.recount.links import NOTHING, SourceKind
from workers.audit.recount.postings import Posting


def fate_of_payment(desk: Desk, row: Row) -> Iterator[Posting]:
    """Money in on its day; on cash basis it earns what invoices took of it; what is left is its client's."""
    client = desk.links.client_of("payment", row)
    amount, rate, day = Fraction(row["amount"]), desk.rates.of_flow(row, row["paid_on"]), row["paid_on"]
    yield from desk.post(["money_in", "activity"], name_of(row), amount, rate, day, client=client)
    yield from _earned(desk, "payment", row)
    yield from _kept(desk, "payment", row, 1)


def fate_of_refund(desk: Desk, row: Row) -> Iterator[Posting]:
    """Money out on its day; on cash basis it takes back what was earned; what is left of it counts against credit."""
    amount, rate, day = Fraction(row["amount"]), desk.rates.of_flow(row, row["paid_on"]), row["paid_on"]
    yield from desk.post(["money_out"], name_of(row), -amount, rate, day)
    yield from _earned(desk, "refund", row)
    yield from _kept(desk, "refund", row, -1)


def _earned(desk: Desk, kind: SourceKind, row: Row) -> Iterator[Posting]:
    """Cash-basis revenue, link by link. Money that earns nothing is a document all the same, and needs no rate."""
    if not desk.books.on_cash_basis:
        return
    day = row["paid_on"]
    links = [link for link in desk.links.of_source.get((kind, row["payment_id"]), ()) if link.earned]
    for link in links:
        target = link.target
        without_tax = link.earned * net(target) / Fraction(target["total"])
        rate = desk.rates.of_flow(target, target["issue_date"])
        yield from desk.post(["revenue"], name_of(row), without_tax, rate, day)
    if not links:
        yield from desk.post(["revenue"], name_of(row), NOTHING, desk.rates.of_day(desk.books.base, day), day)


def _kept(desk: Desk, kind: SourceKind, row: Row, sign: int) -> Iterator[Posting]:
    if row["paid_on"] <= desk.books.today and not desk.books.links_unknown:
        client = desk.links.client_of(kind, row)
        left = desk.remains.of_payment(kind, row)
        yield from desk.post_left_over(["credit"], row, left, sign=sign, client=client)
