"""Flows as running sums: what a period came to is the difference of two of them, however many days it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import accumulate

from workers.kpi.flows import Flow
from workers.kpi.money import has_places, zero
from workers.kpi.totals import Total
from workers.kpi.windows import Calendar, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A flow, added up: place n holds the sums of all stretches of the calendar before the n-th.

    converted: documents that convert, and one more for what converts in part. lacking: by stretch, what has no rate. known:
    False where no period's sum can be known. rounded: every amount is, so that their differences are, too.
    """

    amounts: Sequence[Decimal]
    converted: Sequence[int]
    lacking: Sequence[tuple[int, Total]]
    known: bool
    rounded: bool

    @property
    def is_plain(self) -> bool:
        """Whether each period's sum is just the difference of two amounts, as it is shown."""
        return self.known and self.rounded and not self.lacking

    def value(self, span: Span) -> Decimal | None:
        """The sum of what converts; None when it is unknown, or documents are there and nothing of them converts."""
        if not self.known:
            return None
        if self.lacking and not self.converts(span) and any(total.documents for total in self.lacks(span)):
            return None
        return self.amount(span)

    def amount(self, span: Span) -> Decimal:
        """The sum of what converts, whether anything does or not."""
        begin, end = span
        return self.amounts[end] - self.amounts[begin]

    def converts(self, span: Span) -> bool:
        """Whether anything in the span converts."""
        begin, end = span
        return self.converted[begin] != self.converted[end]

    def lacks(self, span: Span) -> list[Total]:
        """What has no rate in the span."""
        begin, end = span
        return [total for place, total in self.lacking if begin <= place < end]


@dataclass(slots=True)
class Adding:
    """The stretches of a flow while they are filled. places: the decimals of the base currency."""

    calendar: Calendar
    places: int
    amounts: list[Decimal] = field(init=False)
    converted: list[int] = field(init=False)
    lacking: list[tuple[int, Total]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.amounts = [zero(self.places)] * len(self.calendar.edges)
        self.converted = [0] * len(self.calendar.edges)

    def copy(self) -> Adding:
        """As it is now, to be filled further."""
        other = Adding(self.calendar, self.places)
        other.amounts[:], other.converted[:], other.lacking[:] = self.amounts, self.converted, self.lacking
        return other

    def add(self, place: int, amount: Decimal, documents: int, no_rate: str | None, *, in_part: bool = False) -> None:
        """Add documents to a stretch. Raises ValueError for an amount without a rate that is no number."""
        if no_rate is None:
            self.amounts[place] += amount
            self.converted[place] += documents + in_part
        elif documents or amount:
            total = Total()
            total.add(amount, documents, no_rate=no_rate)
            self.lacking.append((place, total))
            self.converted[place] += in_part

    def add_days(self, flow: Flow, first: date, last: date, *, negative: bool = False) -> None:
        """Add the flow's days from `first` to `last`; `negative`: with the opposite sign."""
        amounts, converted, places = self.amounts, self.converted, self.calendar.live_places
        for day, total in flow.by_day.items():
            if not first <= day <= last:
                continue
            place = places[day]
            amounts[place] += -total.amount if negative else total.amount
            converted[place] += total.convertible + total.in_part
            if total.lacking:
                signed = total.negative() if negative else total
                self.lacking.append((place, signed.lacking_part()))

    def running(self, *, known: bool) -> Running:
        """What is there, added up."""
        amounts = tuple(accumulate(self.amounts, initial=zero(self.places)))
        return Running(
            amounts=amounts,
            converted=tuple(accumulate(self.converted, initial=0)),
            lacking=self.lacking,
            known=known,
            # A sum has as many decimals as any of its parts.
            rounded=has_places(amounts[-1], self.places),
        )
