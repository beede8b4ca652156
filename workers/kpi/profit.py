"""Daily Profit: revenue less expenses, on the same basis. Source: SPEC 4, Daily Profit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from workers.kpi.days import Period
from workers.kpi.flows import Flow
from workers.kpi.totals import Leftovers, Total, summed


@dataclass(frozen=True, slots=True)
class Profit:
    """Two flows held against each other."""

    revenue: Flow
    expenses: Flow

    def value(self, day: date) -> Decimal | None:
        """The day's profit, not rounded; None as soon as one side is."""
        return difference(self.revenue.value(day), self.expenses.value(day))

    def documents(self, period: Period) -> Total:
        """The documents of both sides together, for the confidence; their summed amount means nothing."""
        return summed((self.revenue.total(period), self.expenses.total(period)))

    @property
    def left_out(self) -> Leftovers:
        """What today's profit misses: revenue as it is, expenses with a minus."""
        return self.revenue.left_out.plus(self.expenses.left_out, sign=-1)


def difference(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """one − other; None as soon as one of them is."""
    return None if one is None or other is None else one - other
