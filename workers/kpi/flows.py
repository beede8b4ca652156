"""A flow: money by local day, in base units. Revenue, expenses and cash movements are flows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from workers.kpi.days import Period
from workers.kpi.money import ZERO
from workers.kpi.totals import Total, summed


class Entry(NamedTuple):
    """Documents of one day: their sum in base units, or in the currency that has no rate."""

    day: date
    no_rate: str | None
    amount: Decimal
    documents: int
    anomalies: int = 0


# Of a day without documents; only looked at.
_QUIET, _UNKNOWN = Total(), Total(known=False)


@dataclass(frozen=True, slots=True)
class Flow:
    """Totals by local day. known: False where no day's value can be known, quiet days included."""

    by_day: Mapping[date, Total]
    known: bool = True

    def on(self, day: date) -> Total:
        """The day's sum, and the documents behind it."""
        return self.by_day.get(day) or (_QUIET if self.known else _UNKNOWN)

    def value(self, day: date) -> Decimal | None:
        """The day's amount; 0 on a quiet day, None when nothing of that day could be converted."""
        return self.on(day).value

    def values(self, days: Sequence[date]) -> list[Decimal | None]:
        """The amount of each of these days, in their order."""
        quiet = ZERO if self.known else None
        return [quiet if (total := self.by_day.get(day)) is None else total.value for day in days]

    def total(self, period: Period) -> Total:
        """The period's sum, and the documents behind it."""
        first, last = period.first, period.last
        whole = summed([total for day, total in self.by_day.items() if first <= day <= last])
        whole.known &= self.known
        return whole


def collect(entries: Iterable[Entry]) -> Flow:
    """The flow that the entries make up. Raises ValueError for an amount that is no number."""
    by_day: dict[date, Total] = {}
    for day, no_rate, amount, documents, anomalies in entries:
        total = by_day.get(day)
        if total is None:
            total = by_day[day] = Total()
        total.add(amount, documents, no_rate=no_rate, anomalies=anomalies)
    return Flow(by_day)


def merged(one: Flow, other: Flow) -> Flow:
    """Both flows as one."""
    shared = one.by_day.keys() & other.by_day.keys()
    both = {day: summed((one.by_day[day], other.by_day[day])) for day in shared}
    return Flow({**one.by_day, **other.by_day, **both}, one.known and other.known)
