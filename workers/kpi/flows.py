"""A flow: money by local day, in base units. Revenue, expenses and cash movements are flows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from workers.kpi.days import Period
from workers.kpi.money import Converter
from workers.kpi.totals import Leftovers, Total, summed

_NOTHING = Total()


class Entry(NamedTuple):
    """Documents of one day and currency; their rate, where one is needed, is that of `day`."""

    day: date
    currency: str
    amount: Decimal
    documents: int
    anomalies: int = 0


@dataclass(frozen=True, slots=True)
class Flow:
    """Totals by local day; `left_out` is what today's value misses for want of a rate."""

    by_day: Mapping[date, Total]
    left_out: Leftovers

    def value(self, day: date) -> Decimal | None:
        """The day's amount, not rounded; 0 on a quiet day, None when nothing of that day could be converted."""
        return self.by_day.get(day, _NOTHING).value

    def total(self, period: Period) -> Total:
        """The period's sum, and the documents behind it."""
        return summed(total for day, total in self.by_day.items() if day in period)


def collect(entries: Iterable[Entry], converter: Converter) -> Flow:
    """The flow that the entries make up. Raises ValueError for an amount that is no number."""
    by_day: dict[date, Total] = {}
    left_out = Leftovers()
    for day, currency, amount, documents, anomalies in entries:
        converted = converter.flow(amount, currency, day)
        by_day.setdefault(day, Total()).add(converted, documents, anomalies)
        if converted is None and day == converter.today:
            left_out.add(currency, amount, documents)
    return Flow(by_day, left_out)


def merged(one: Flow, other: Flow) -> Flow:
    """Both flows as one."""
    days = one.by_day.keys() | other.by_day.keys()
    return Flow(
        {day: summed((one.by_day.get(day, _NOTHING), other.by_day.get(day, _NOTHING))) for day in days},
        one.left_out.plus(other.left_out),
    )
