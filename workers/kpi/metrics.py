"""From numbers to a metric on the wire: rounding, change, trend and confidence, alike for all eight. Source: SPEC 4."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal, Protocol

from msgspec import UNSET, UnsetType

from shared.currency import exponent
from shared.snapshot import Metric, Trend, instant
from workers.facts import TenantFacts
from workers.kpi.confidence import confidence
from workers.kpi.days import complete, elapsed_share, yesterday
from workers.kpi.money import ONE, RATIO_PLACES, ZERO, minor_unit, rounded_or_none
from workers.kpi.profit import difference
from workers.kpi.totals import Leftovers, Total
from workers.kpi.trend import DOWN_IS_SAID_FROM, change_percent, direction, flow_floor, is_good

SAMPLE_DAYS = 28
TYPICAL_DAYS = 28
PARTIAL_DAY = "partial_day"


class Daily(Protocol):
    """What has a value on every local day: a Flow, or Profit."""

    def value(self, day: date) -> Decimal | None: ...

    @property
    def left_out(self) -> Leftovers: ...


def flow_metric(facts: TenantFacts, name: str, daily: Daily, looked_at: Total) -> Metric:
    """Today so far against the whole of yesterday; "down" is held back until three quarters of the day have passed.

    looked_at: the documents of the trailing 28 days, for the confidence.
    """
    today, currency = facts.clock.today, facts.tenant.base_currency
    value, previous = daily.value(today), daily.value(yesterday(today))
    usual = [daily.value(day) for day in complete(today, TYPICAL_DAYS).days()]
    trend = direction(value, previous, floor=flow_floor(usual, minor_unit(currency)))
    day_share = elapsed_share(facts.clock)
    held_back = trend == "down" and day_share < DOWN_IS_SAID_FROM
    return _metric(
        facts,
        name=name,
        unit="money",
        value=value,
        previous=previous,
        trend="stable" if held_back else trend,
        reason=PARTIAL_DAY if held_back else UNSET,
        looked_at=looked_at,
        day_share=day_share,
        left_out=daily.left_out,
    )


def count_metric(
    facts: TenantFacts,
    name: str,
    value: int,
    previous: int | None,
    *,
    looked_at: Total,
    left_out: Leftovers,
    amount: Decimal | UnsetType | None = UNSET,
) -> Metric:
    """A number of things. amount: the money beside the count, in base units, not rounded; None = none convertible."""
    now, before = Decimal(value), None if previous is None else Decimal(previous)
    return _metric(
        facts,
        name=name,
        unit="count",
        value=now,
        previous=before,
        trend=direction(now, before),
        looked_at=looked_at,
        left_out=left_out,
        amount=amount if isinstance(amount, UnsetType) else rounded_or_none(amount, _money_places(facts)),
    )


def ratio_metric(
    facts: TenantFacts,
    name: str,
    value: Decimal | None,
    previous: Decimal | None,
    *,
    looked_at: Total,
    left_out: Leftovers,
) -> Metric:
    """A ratio 0..1, four decimals; None where its denominator is 0."""
    return _metric(
        facts,
        name=name,
        unit="ratio",
        value=value,
        previous=previous,
        trend=direction(value, previous),
        looked_at=looked_at,
        left_out=left_out,
    )


def _metric(
    facts: TenantFacts,
    *,
    name: str,
    unit: Literal["money", "count", "ratio"],
    value: Decimal | None,
    previous: Decimal | None,
    trend: Trend,
    looked_at: Total,
    left_out: Leftovers,
    reason: str | UnsetType = UNSET,
    amount: Decimal | UnsetType | None = UNSET,
    day_share: Decimal = ONE,
) -> Metric:
    places = {"money": _money_places(facts), "count": 0, "ratio": RATIO_PLACES}[unit]
    if not facts.has_documents:
        # What was there was taken out of the books: that is no development to speak of.
        trend, reason = "stable", UNSET
    trust, factors = confidence(looked_at, day_share)
    return Metric(
        name=name,
        value=rounded_or_none(value, places),
        previous=rounded_or_none(previous, places),
        change=rounded_or_none(difference(value, previous), places),
        change_percent=change_percent(value, previous),
        trend=trend,
        good=is_good(name, trend),
        reason=reason,
        unit=unit,
        amount=amount,
        unconverted=left_out.listed(),
        confidence=trust if facts.has_documents else ZERO,
        confidence_factors=factors,
        timestamp=instant(facts.clock.as_of),
    )


def _money_places(facts: TenantFacts) -> int:
    return exponent(facts.tenant.base_currency)
