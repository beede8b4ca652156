"""Where the alert rules begin: their names, their defaults, and which values make sense. Source: SPEC 4, Alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

# What numeric(20,4) holds before the point.
_MOST = Decimal(10) ** 15
_FINEST = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertThresholds:
    """One value a rule; None = the rule is off. Amounts are in the tenant's base currency.

    overdue_count, overdue_amount: fires above it. profit_floor, cash_below: fires below it. large_overdue_invoice,
    monthly_revenue_target: fires from it on. revenue_growth: percent against yesterday that a rise must reach to be told
    (None: any rise). quote_expiring: open quotes that expire within so many days.
    """

    overdue_count: Decimal | None = Decimal(5)
    overdue_amount: Decimal | None = None
    profit_floor: Decimal | None = Decimal(0)
    revenue_growth: Decimal | None = None
    cash_below: Decimal | None = None
    large_overdue_invoice: Decimal | None = None
    quote_expiring: Decimal | None = None
    monthly_revenue_target: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Which values a threshold may have (both ends included), and what it is, in words."""

    low: Decimal
    high: Decimal
    whole: bool = False
    text: str


def _whole(high: int, text: str) -> Limit:
    return Limit(low=Decimal(0), high=Decimal(high), whole=True, text=text)


def _positive(text: str, *, high: Decimal = _MOST) -> Limit:
    return Limit(low=_FINEST, high=high, text=text)


def _any(text: str) -> Limit:
    return Limit(low=-_MOST, high=_MOST, text=text)


# The same limits stand as a CHECK on dashboard.threshold.
LIMITS: Mapping[str, Limit] = {
    "overdue_count": _whole(1_000_000, "warns above so many overdue invoices"),
    "overdue_amount": _positive("warns above this overdue amount"),
    "profit_floor": _any("warns when today's profit is below it"),
    "revenue_growth": _positive(
        "tells of a rise in revenue from so many percent on; unset: of any", high=Decimal(1_000_000)
    ),
    "cash_below": _any("warns when today's cash flow is below it"),
    "large_overdue_invoice": _positive("warns of a single overdue invoice from this amount on"),
    "quote_expiring": _whole(90, "tells of open quotes that expire within so many days"),
    "monthly_revenue_target": _positive("tells when the month's revenue reaches it"),
}


def threshold(rule: str, text: str) -> Decimal:
    """The value in `text` for that rule; raises ValueError that says what would be right, without repeating `text`."""
    limit = LIMITS[rule]
    kind = "a whole number" if limit.whole else "a number of at most four decimals"
    wanted = f"must be {kind} from {limit.low:f} to {limit.high:f}"
    try:
        value = Decimal(text)
        fits = value.is_finite() and limit.low <= value <= limit.high
        exact = value == value.quantize(Decimal(1) if limit.whole else _FINEST) if fits else False
    except InvalidOperation:
        raise ValueError(wanted) from None
    if not exact:
        raise ValueError(wanted)
    return value
