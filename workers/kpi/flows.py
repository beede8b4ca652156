"""A flow: money by local day, in base units. Revenue, expenses and cash movements are flows.

Its days are those that a load reaches, up to today; they are added up once, and what a period came to is the difference of
two sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import accumulate, repeat

import msgspec

from workers.kpi.days import Period
from workers.kpi.money import ZERO
from workers.kpi.totals import Entry, Total, Totals
from workers.kpi.windows import live_days


class Flow(msgspec.Struct, frozen=True):
    """Totals by local day, of `days` in their order.

    amounts: what converts of each of them. sums: place n holds what the days before the n-th came to. known: False where no
    day's value can be known, quiet days included.
    """

    by_day: Totals[date]
    days: Sequence[date]
    amounts: Sequence[Decimal]
    sums: Sequence[Decimal]
    known: bool = True

    def on(self, day: date) -> Total:
        """The day's sum, and the documents behind it."""
        total = self.by_day.total(day)
        total.known = self.known
        return total

    def lacks_rates(self, day: date) -> bool:
        """Whether a document of that day has no rate."""
        return day in self.by_day.lacking

    def value(self, day: date) -> Decimal | None:
        """The day's amount; 0 on a quiet day, None when nothing of that day could be converted."""
        return self.by_day.value(day) if self.known else None

    def values(self, period: Period) -> Sequence[Decimal | None]:
        """The amount of each day of the period, which lies within `days`."""
        begin, end = self._span(period)
        if not self.known:
            return [None] * (end - begin)
        if not self.by_day.lacking:
            return self.amounts[begin:end]
        return self.by_day.values_of(self.days[begin:end])

    def total(self, period: Period) -> Total:
        """The sum of the period, which lies within `days`, and the documents behind it."""
        total, documents = self.money(period), _within(self.by_day.documents, period)
        total.documents += documents
        total.convertible += documents
        total.anomalies += _within(self.by_day.anomalies, period)
        return total

    def money(self, period: Period) -> Total:
        """The same sum, and what has no rate, without counting the documents that convert."""
        begin, end = self._span(period)
        total = Total(self.sums[end] - self.sums[begin])
        total.known = self.known
        for lacking in self.lacking(period):
            total.include(lacking)
        return total

    def lacking(self, period: Period) -> list[Total]:
        """What has no rate on the days of the period."""
        return [total for day, total in self.by_day.lacking.items() if day in period]

    def _span(self, period: Period) -> tuple[int, int]:
        first = self.days[0]
        return (period.first - first).days, (period.last - first).days + 1


def _within(counts: dict[date, int], period: Period) -> int:
    first, last = period.first, period.last
    return sum([count for day, count in counts.items() if first <= day <= last])


def collect(entries: Iterable[Entry[date]], today: date) -> Flow:
    """The flow that the entries make up. Raises ValueError for an amount that is no number."""
    by_day: Totals[date] = Totals()
    by_day.add(entries)
    return flow(by_day, today)


def flow(by_day: Totals[date], today: date, *, known: bool = True) -> Flow:
    """The flow of these totals, up to today."""
    days = live_days(today)
    amounts = list(map(by_day.amounts.get, days, repeat(ZERO)))
    return Flow(by_day, days, amounts, tuple(accumulate(amounts, initial=ZERO)), known)
