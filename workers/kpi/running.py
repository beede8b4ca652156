"""Flows as running sums: what a period came to is the difference of two of them, however many days it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import accumulate

import msgspec

from workers.kpi.flows import Flow
from workers.kpi.money import has_places, zero
from workers.kpi.totals import Total
from workers.kpi.windows import Calendar, Span


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A flow, added up: place n holds the sums of all stretches of the calendar before the n-th.

    lacking: by stretch, what has no rate. converted: how much converts, in numbers that differ where anything in between
    does; not counted where no flow of the tenant lacks anything. known: False where no period's sum can be known. rounded:
    every amount is, so that their differences are, too.
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
    """The stretches of the kept days of a flow, while they are filled. places: the decimals of the base currency."""

    calendar: Calendar
    places: int
    amounts: list[Decimal] = field(init=False)
    converted: list[int] = field(init=False)
    lacking: list[tuple[int, Total]] = field(default_factory=list)

    def __post_init__(self) -> None:
        stretches = self.calendar.first_live + 1
        self.amounts, self.converted = [zero(self.places)] * stretches, [0] * stretches

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

    def running(self, *, known: bool) -> Running:
        """What is there, added up; the last place holds all of it."""
        amounts = tuple(accumulate(self.amounts, initial=zero(self.places)))
        return Running(
            amounts=amounts,
            converted=tuple(accumulate(self.converted, initial=0)),
            lacking=self.lacking,
            known=known,
            rounded=has_places(amounts[-1], self.places),
        )


def continued(
    past: Running, flow: Flow, calendar: Calendar, places: int, *, counted: bool, negative: bool = False
) -> Running:
    """The kept days and then the days of the flow; `negative`: these with the opposite sign. counted: whether to count what
    converts."""
    before, sums = past.amounts[-1], flow.sums
    amounts = [
        *past.amounts[:-1],
        *[before - sums[days] if negative else before + sums[days] for days in calendar.live_edges],
    ]
    return Running(
        amounts=amounts,
        converted=_converted(past, flow, calendar) if counted else (),
        lacking=[*past.lacking, *_lacking_days(flow, calendar, negative=negative)],
        known=past.known,
        # A sum has as many decimals as any of its parts.
        rounded=has_places(amounts[-1], places),
    )


def _lacking_days(flow: Flow, calendar: Calendar, *, negative: bool) -> list[tuple[int, Total]]:
    first, last = flow.days[0], flow.days[-1]
    return [
        (calendar.place(day), total.negative() if negative else total)
        for day, total in flow.by_day.lacking.items()
        if first <= day <= last
    ]


def _converted(past: Running, flow: Flow, calendar: Calendar) -> list[int]:
    """The days of which something converts are counted, in place of their documents."""
    amounts, documents = flow.by_day.amounts, flow.by_day.documents
    converts = [day in amounts or day in documents for day in flow.days]
    before = list(accumulate(converts, initial=past.converted[-1]))
    return [*past.converted[:-1], *[before[days] for days in calendar.live_edges]]
