"""What is left of a payment, a refund or a credit note after its links, in its own currency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from workers.audit.recount.books import Row
from workers.audit.recount.links import NOTHING, Link, Links, SourceKind
from workers.audit.recount.rates import Rate, Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOver:
    """amount: in the source's own currency. lacks: the rate without which it is not known (amount is then what it would
    be if the links in other currencies took nothing); None where it is known."""

    amount: Fraction
    lacks: Rate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """Answers for every source of the books."""

    links: Links
    rates: Rates

    def of_payment(self, kind: SourceKind, row: Row) -> LeftOver:
        """Of a payment or refund: what the host says in `unapplied`, else what its targets did not take."""
        if row.get("unapplied") is not None:
            return LeftOver(amount=max(NOTHING, Fraction(row["unapplied"])))
        links = self.links.of_source.get((kind, row["payment_id"]), ())
        return self._after(links, row, row["paid_on"], Fraction(row["amount"]))

    def of_credit_note(self, row: Row) -> LeftOver:
        """Of a credit note: what the host says in `balance`, else what neither invoices nor refunds took."""
        if row.get("balance") is not None:
            return LeftOver(amount=max(NOTHING, Fraction(row["balance"])))
        paid_out = sum((link.taken for link in self.links.refunds_of_note.get(row["invoice_id"], ())), NOTHING)
        links = self.links.of_source.get(("credit_note", row["invoice_id"]), ())
        return self._after(links, row, row["issue_date"], Fraction(row["total"]) - paid_out)

    def pay_out_notes(self, notes: Sequence[Row]) -> None:
        """Let refunds take what invoices leave of the credit notes that they pay out, in the order of their dates."""
        for note in notes:
            set_off = NOTHING if note.get("balance") is not None else self._set_off(note)
            left = Fraction(note["total"]) - set_off
            for refund in self.links.refunds_of_note.get(note["invoice_id"], ()):
                taken = min(refund.asked, left)
                left -= taken
                refund.taken, refund.earned = taken, -taken

    def _set_off(self, note: Row) -> Fraction:
        """What invoices took of a credit note, as far as it is known."""
        left = self._after(
            self.links.of_source.get(("credit_note", note["invoice_id"]), ()),
            note,
            note["issue_date"],
            Fraction(note["total"]),
        )
        return Fraction(note["total"]) - left.amount

    def _after(self, links: Sequence[Link], source: Row, day: date, amount: Fraction) -> LeftOver:
        """`amount` less what targets took; what they took in another currency at the rates of the source's date."""
        lacks: Rate | None = None
        in_other_currencies = NOTHING
        for link in links:
            if not link.taken:
                continue
            if link.target["currency"] == source["currency"]:
                amount -= link.taken
                continue
            theirs, ours = self.rates.of_day(link.target["currency"], day), self.rates.of_flow(source, day)
            if theirs.value is None or ours.value is None:
                wanted = ours if ours.value is None else theirs
                # One currency is named of several: by its code, so that it is always the same.
                lacks = wanted if lacks is None else min(lacks, wanted, key=lambda rate: rate.currency)
            else:
                in_other_currencies += link.taken * theirs.value / ours.value
        if lacks is None:
            amount -= in_other_currencies
        return LeftOver(amount=max(NOTHING, amount), lacks=lacks)
