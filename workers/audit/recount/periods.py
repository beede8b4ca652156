"""The numbers of a period: which postings make them up, and their sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from workers.audit.recount.books import Books
from workers.audit.recount.postings import Ledger, LeftOut, Posting, left_out, negative, total, without_rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number and the postings behind it. value: in base units, None if it cannot be known."""

    value: Fraction | None
    postings: Sequence[Posting]

    @property
    def left_out(self) -> LeftOut:
        return left_out(self.postings)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out of it."""
        return not without_rate(self.postings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """The flows of any local days first..last."""

    books: Books
    ledger: Ledger

    def revenue(self, first: date, last: date) -> Figure:
        """Income without tax on the tenant's basis; not known where nothing tells what was paid with the money."""
        figure = self._sum(self.ledger.between("revenue", first, last))
        unknown = self.books.on_cash_basis and self.books.links_unknown
        return Figure(value=None, postings=figure.postings) if unknown else figure

    def expenses(self, first: date, last: date) -> Figure:
        """Costs without tax on the tenant's basis."""
        return self._sum(self.ledger.between("expenses", first, last))

    def profit(self, first: date, last: date) -> Figure:
        """Revenue less expenses, not known as soon as one of them is not."""
        income, costs = self.revenue(first, last), self.expenses(first, last)
        known = income.value is not None and costs.value is not None
        return Figure(
            value=(income.value or Fraction(0)) - (costs.value or Fraction(0)) if known else None,
            postings=[*income.postings, *negative(costs.postings)],
        )

    def money_in(self, first: date, last: date) -> Figure:
        return self._sum(self.ledger.between("money_in", first, last))

    def money_out(self, first: date, last: date) -> Figure:
        """Refunds and paid expenses, as a positive number."""
        return self._sum(negative(self.ledger.between("money_out", first, last)))

    def cash_flow(self, first: date, last: date) -> Figure:
        """Money in less money out: the sum of all of it that converts."""
        moved = [*self.ledger.between("money_in", first, last), *self.ledger.between("money_out", first, last)]
        return self._sum(moved)

    def billed(self, first: date, last: date) -> Figure:
        """Invoices less credit notes, tax included."""
        return self._sum(self.ledger.between("billed", first, last))

    def _sum(self, postings: Sequence[Posting]) -> Figure:
        return Figure(value=total(postings), postings=postings)
