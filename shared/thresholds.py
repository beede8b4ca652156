"""Where the alert rules begin: their names, their defaults, and which values make sense. Source: SPEC 4, Alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation

from shared.variables import Kind, variable

# What numeric(20,4) holds before the point.
_MOST = Decimal(10) ** 15
_FINEST = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Which values a threshold may have (both ends included), and what it is, in words."""

    low: Decimal
    high: Decimal
    whole: bool = False
    text: str

    @property
    def allowed(self) -> str:
        """The values in words."""
        kind = "a whole number" if self.whole else "a number of at most four decimals"
        return f"{kind} from {self.low:f} to {self.high:f}"

    def value(self, text: str) -> Decimal:
        """The value in `text`; raises ValueError that says what would be right, without repeating `text`."""
        wanted = f"must be {self.allowed}"
        try:
            value = Decimal(text)
            fits = value.is_finite() and self.low <= value <= self.high
            exact = value == value.quantize(Decimal(1) if self.whole else _FINEST) if fits else False
        except InvalidOperation:
            raise ValueError(wanted) from None
        if not exact:
            raise ValueError(wanted)
        return value


def _whole(high: int, text: str) -> Limit:
    return Limit(low=Decimal(0), high=Decimal(high), whole=True, text=text)


def _positive(text: str, *, high: Decimal = _MOST) -> Limit:
    return Limit(low=_FINEST, high=high, text=text)


def _any(text: str) -> Limit:
    return Limit(low=-_MOST, high=_MOST, text=text)


def _rule(name: str, limit: Limit, *, begins: str = "") -> Mapping[str, object]:
    """Metadata of one rule's field: its limit, and the variable that sets it for all tenants."""
    kind = Kind(allowed=limit.allowed, problem=f"must be {limit.allowed}", parse=limit.value)
    return {**variable(f"DASHBOARD_ALERT_{name.upper()}", kind, limit.text, begins=begins), "limit": limit}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertThresholds:
    """One value a rule; None = the rule is off. Amounts are in the tenant's base currency.

    overdue_count, overdue_amount: fires above it. profit_floor, cash_below: fires below it. large_overdue_invoice,
    monthly_revenue_target: fires from it on. revenue_growth: percent against yesterday that a rise must reach to be told
    (None: any rise). quote_expiring: open quotes that expire within so many days.
    """

    overdue_count: Decimal | None = field(
        default=Decimal(5),
        metadata=_rule(
            "overdue_count", _whole(1_000_000, "warns above so many overdue invoices"),
            begins="Where alert rules begin, for tenants without a threshold of their own (bin/dash threshold). Unset: off.",
        ),
    )  # fmt: skip
    overdue_amount: Decimal | None = field(
        default=None, metadata=_rule("overdue_amount", _positive("warns above this overdue amount"))
    )
    profit_floor: Decimal | None = field(
        default=Decimal(0), metadata=_rule("profit_floor", _any("warns when today's profit is below it"))
    )
    revenue_growth: Decimal | None = field(
        default=None,
        metadata=_rule(
            "revenue_growth",
            _positive("tells of a rise in revenue from so many percent on; unset: of any", high=Decimal(1_000_000)),
        ),
    )
    cash_below: Decimal | None = field(
        default=None, metadata=_rule("cash_below", _any("warns when today's cash flow is below it"))
    )
    large_overdue_invoice: Decimal | None = field(
        default=None,
        metadata=_rule("large_overdue_invoice", _positive("warns of a single overdue invoice from this amount on")),
    )
    quote_expiring: Decimal | None = field(
        default=None,
        metadata=_rule("quote_expiring", _whole(90, "tells of open quotes that expire within so many days")),
    )
    monthly_revenue_target: Decimal | None = field(
        default=None, metadata=_rule("monthly_revenue_target", _positive("tells when the month's revenue reaches it"))
    )


# By rule. The same limits stand as a CHECK on dashboard.threshold.
LIMITS: Mapping[str, Limit] = {rule.name: rule.metadata["limit"] for rule in fields(AlertThresholds)}


def threshold(rule: str, text: str) -> Decimal:
    """The value in `text` for that rule; raises ValueError that says what would be right, without repeating `text`."""
    return LIMITS[rule].value(text)
