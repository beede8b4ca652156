"""Allocations followed to their end: what each link takes from its source, and what it does to its target.

A link counts if its source counts today (succeeded or posted, dated up to today) and its target is posted. Money and
credit notes go to invoices, refunds to invoices or to the credit note that they pay out. Any other link is none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Literal

from workers.audit.recount.books import Books, Row

SourceKind = Literal["payment", "credit_note", "refund"]
# On one day payments come first, then credit notes, then refunds.
ORDER: Mapping[SourceKind, int] = {"payment": 0, "credit_note": 1, "refund": 2}
Source = tuple[SourceKind, str]
NOTHING = Fraction(0)


@dataclass(slots=True, kw_only=True)
class Link:
    """One allocation that counts.

    asked: what the row says, in the target's currency. taken: what the target took of it, so that the source no longer
    has it. earned: what it brings to the target's payment, negative for what a refund took back.
    """

    source: Source
    allocation_id: str
    day: date
    target: Row
    asked: Fraction
    taken: Fraction = NOTHING
    earned: Fraction = NOTHING

    @property
    def order(self) -> tuple[date, int, str, str]:
        kind, source_id = self.source
        return self.day, ORDER[kind], source_id, self.allocation_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Links by their source; by invoice what they settled, in all and before today, and what future payments bring; by
    credit note its refunds."""

    of_source: Mapping[Source, Sequence[Link]]
    settled: Mapping[str, Fraction]
    settled_before_today: Mapping[str, Fraction]
    announced: Mapping[str, Sequence[Link]]
    refunds_of_note: Mapping[str, Sequence[Link]]

    def client_of(self, kind: SourceKind, payment: Row) -> str | None:
        """Whose money it is: the payment's own client, else the first that its allocations lead to."""
        if payment.get("client_id") is not None:
            return str(payment["client_id"])
        links = sorted(
            self.of_source.get((kind, payment["payment_id"]), ()), key=lambda link: link.target["invoice_id"]
        )
        return next((link.target["client_id"] for link in links if link.target.get("client_id") is not None), None)


def follow_links(books: Books) -> Links:
    """Every allocation of the books, each invoice's in their order."""
    of_source: dict[Source, list[Link]] = defaultdict(list)
    on_invoice: dict[str, list[Link]] = defaultdict(list)
    on_note: dict[str, list[Link]] = defaultdict(list)
    announced: dict[str, list[Link]] = defaultdict(list)
    for link in sorted(_counting(books), key=lambda link: link.order):
        target_id = link.target["invoice_id"]
        if link.day > books.today:
            if link.source[0] == "payment":
                announced[target_id].append(link)
            continue
        of_source[link.source].append(link)
        (on_note if link.target["kind"] == "credit_note" else on_invoice)[target_id].append(link)
    earlier = {target_id: [one for one in links if one.day < books.today] for target_id, links in on_invoice.items()}
    # First, because links are left as the last settling makes them.
    before = {target_id: _settle(links) for target_id, links in earlier.items() if links}
    settled = {target_id: _settle(links) for target_id, links in on_invoice.items()}
    return Links(
        of_source=of_source,
        settled=settled,
        settled_before_today=before,
        announced=announced,
        refunds_of_note=on_note,
    )


def _counting(books: Books) -> Iterator[Link]:
    """The links that count today or, being future payments, will."""
    days: dict[Source, date] = {("payment", row["payment_id"]): row["paid_on"] for row in books.payments}
    days |= {("refund", row["payment_id"]): row["paid_on"] for row in books.refunds}
    days |= {("credit_note", row["invoice_id"]): row["issue_date"] for row in books.credit_notes}
    invoices = {row["invoice_id"]: row for row in books.invoices}
    notes = {row["invoice_id"]: row for row in books.credit_notes}
    for row in books.allocations:
        source = (row["source_kind"], row["source_id"])
        target = invoices.get(row["invoice_id"])
        if target is None and source[0] == "refund":
            target = notes.get(row["invoice_id"])
        if source in days and target is not None:
            yield Link(
                source=source,
                allocation_id=row["allocation_id"],
                day=days[source],
                target=target,
                asked=Fraction(row["amount"]),
            )


@dataclass(slots=True)
class _Surplus:
    """Payments beyond the total of one invoice, oldest first, which refunds give back first."""

    parts: list[tuple[Link, Fraction]] = field(default_factory=list)

    def give_back(self, amount: Fraction) -> Fraction:
        """Undo up to `amount` of it; returns how much was undone. What is given back its payment no longer has."""
        undone = NOTHING
        while self.parts and undone < amount:
            link, left = self.parts.pop(0)
            piece = min(left, amount - undone)
            link.taken += piece
            undone += piece
            if piece < left:
                self.parts.insert(0, (link, left - piece))
        return undone


def _settle(links: Sequence[Link]) -> Fraction:
    """Let each link do its work on one invoice, in order; returns what of the invoice is settled in the end."""
    total = Fraction(links[0].target["total"])
    settled = paid = NOTHING
    surplus = _Surplus()
    for link in links:
        kind = link.source[0]
        if kind == "refund":
            undone = surplus.give_back(link.asked)
            reopened = min(link.asked - undone, paid)
            paid -= reopened
            settled -= reopened
            link.taken, link.earned = undone + reopened, -reopened
            continue
        accepted = max(NOTHING, min(link.asked, total - settled))
        settled += accepted
        link.taken = accepted
        if kind == "payment":
            link.earned = accepted
            paid += accepted
            surplus.parts.append((link, link.asked - accepted))
    return settled
