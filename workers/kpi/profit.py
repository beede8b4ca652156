"""Daily Profit: revenue less expenses, on the same basis. Source: SPEC 4, Daily Profit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import msgspec

from workers.kpi.days import Period
from workers.kpi.flows import Flow
from workers.kpi.totals import Total, summed


class Profit(msgspec.Struct, frozen=True):
    """Two flows held against each other."""

    revenue: Flow
    expenses: Flow

    @property
    def known(self) -> bool:
        return self.revenue.known and self.expenses.known

    def value(self, day: date) -> Decimal | None:
        """The day's profit; None as soon as one side is."""
        return difference(self.revenue.value(day), self.expenses.value(day))

    def values(self, period: Period) -> Sequence[Decimal | None]:
        """The profit of each day of the period, in their order."""
        sides = zip(self.revenue.values(period), self.expenses.values(period), strict=True)
        return [difference(earned, spent) for earned, spent in sides]

    def on(self, day: date) -> Total:
        """The documents of both sides, and what the day's profit misses: revenue as it is, expenses with a minus.

        Its value is that of what converts; `value` is the profit.
        """
        return summed((self.revenue.on(day), self.expenses.on(day).negative()))

    def lacks_rates(self, day: date) -> bool:
        """Whether a document of either side has no rate."""
        return self.revenue.lacks_rates(day) or self.expenses.lacks_rates(day)

    def total(self, period: Period) -> Total:
        """The documents of both sides together, for the confidence."""
        return summed((self.revenue.total(period), self.expenses.total(period).negative()))


def difference(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """one − other; None as soon as one of them is."""
    return None if one is None or other is None else one - other
