"""Up, down or stable: whether a change is more than the usual to and fro, and whether it is good news.

Source: SPEC 4, Trend.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from statistics import median

from shared.snapshot import (
    ACTIVITY,
    CASH_FLOW,
    CONVERSION,
    EXPENSES,
    OVERDUE,
    PROFIT,
    REVENUE,
    Trend,
)
from workers.kpi.money import HUNDRED, PERCENT_PLACES, ZERO, quotient

SHARE_OF_PREVIOUS = Decimal("0.05")
SHARE_OF_TYPICAL = Decimal("0.10")
# Before this share of the local day has passed, less than yesterday means little.
DOWN_IS_SAID_FROM = Decimal("0.75")

# Which direction is good news; a metric that is not named here (Pending Invoices) is neither.
GOOD_DIRECTION: dict[str, Trend] = {
    REVENUE: "up",
    EXPENSES: "down",
    PROFIT: "up",
    CASH_FLOW: "up",
    OVERDUE: "down",
    CONVERSION: "up",
    ACTIVITY: "up",
}


def typical(values: Sequence[Decimal | None]) -> Decimal:
    """Median |value| of complete days; a day that could not be computed counts 0."""
    return median([ZERO if value is None else abs(value) for value in values])


def flow_floor(complete_days: Sequence[Decimal | None], minor_unit: Decimal) -> Decimal:
    """The least width of a flow's band: a tenth of a typical day, and never less than one minor unit."""
    return max(SHARE_OF_TYPICAL * typical(complete_days), minor_unit)


def direction(value: Decimal | None, previous: Decimal | None, *, floor: Decimal = ZERO) -> Trend:
    """Where a shown value went; stable within max(5 % of |previous|, `floor`), or when one of them is None."""
    if value is None or previous is None:
        return "stable"
    change = value - previous
    band = max(SHARE_OF_PREVIOUS * abs(previous), floor)
    if change > band:
        return "up"
    return "down" if change < -band else "stable"


def change_percent(value: Decimal | None, previous: Decimal | None) -> Decimal | None:
    """100 × change / |previous| of shown values, one decimal (−27.5); None when one is None or previous is 0."""
    if value is None or not previous:
        return None
    return quotient(HUNDRED * (value - previous) / previous.copy_abs(), PERCENT_PLACES)


def is_good(name: str, trend: Trend) -> bool | None:
    """Whether the metric's direction is good news; None for a stable trend and for Pending Invoices."""
    good = GOOD_DIRECTION.get(name)
    return None if good is None or trend == "stable" else trend == good
