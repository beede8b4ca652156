"""From numbers to a metric on the wire: change, trend and confidence, alike for all eight. Source: SPEC 4.

Whatever is decided here is decided on the numbers as they are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from shared.currency import exponent
from shared.snapshot import Metric, Trend, instant
from workers.facts import Clock, TenantFacts
from workers.kpi.confidence import confidence
from workers.kpi.days import Period, complete, elapsed_share, trailing, yesterday
from workers.kpi.money import ONE, RATIO_PLACES, ZERO, minor_unit, rounded_or_none
from workers.kpi.profit import difference
from workers.kpi.totals import Total
from workers.kpi.trend import DOWN_IS_SAID_FROM, change_percent, direction, flow_floor, is_good

SAMPLE_DAYS = 28
TYPICAL_DAYS = 28
PARTIAL_DAY = "partial_day"
ALLOCATIONS_UNKNOWN = "allocations_unknown"


class Daily(Protocol):
    """What has a value on every local day: a Flow, or Profit. known: False where no day's value can be known."""

    @property
    def known(self) -> bool: ...

    def value(self, day: date) -> Decimal | None: ...

    def values(self, period: Period) -> Sequence[Decimal | None]: ...

    def on(self, day: date) -> Total: ...

    def lacks_rates(self, day: date) -> bool: ...

    def total(self, period: Period) -> Total: ...


def sample(clock: Clock, daily: Daily) -> Total:
    """What the confidence of a flow's metric looks at."""
    return daily.total(trailing(clock.today, SAMPLE_DAYS))


def flow_metric(facts: TenantFacts, name: str, daily: Daily, looked_at: Total, day_share: Decimal) -> Metric:
    """Today so far against the whole of yesterday; "down" is held back until three quarters of the day have passed.

    No percentage while a document of either day has no rate. looked_at: its `sample`. day_share: how much of today has
    passed, 0..1.
    """
    clock, places = facts.clock, _money_places(facts)
    day_before = yesterday(clock.today)
    value = rounded_or_none(daily.value(clock.today), places)
    previous = rounded_or_none(daily.value(day_before), places)
    # On a quiet day nothing has changed, and nobody asks what is usual.
    trend = "stable" if value == previous else direction(value, previous, floor=_usual_floor(facts, daily))
    lacking = daily.lacks_rates(clock.today) or daily.lacks_rates(day_before)
    held_back = trend == "down" and day_share < DOWN_IS_SAID_FROM
    return _metric(
        facts,
        name=name,
        unit="money",
        value=value,
        previous=previous,
        percent=None if lacking else change_percent(value, previous),
        trend="stable" if held_back else trend,
        reason=PARTIAL_DAY if held_back else UNSET if daily.known else ALLOCATIONS_UNKNOWN,
        looked_at=looked_at,
        day_share=day_share,
        counted=daily.on(clock.today),
    )


def flow_at(metric: Metric, looked_at: Total, clock: Clock) -> Metric:
    """A flow's metric of the same facts at another moment of the same local day, where its trend is the same."""
    trust, factors = confidence(looked_at, elapsed_share(clock))
    return msgspec.structs.replace(metric, confidence=trust, confidence_factors=factors, timestamp=instant(clock.as_of))


def _usual_floor(facts: TenantFacts, daily: Daily) -> Decimal:
    usual = daily.values(complete(facts.clock.today, TYPICAL_DAYS))
    return flow_floor(usual, minor_unit(facts.tenant.base_currency))


def count_metric(
    facts: TenantFacts,
    name: str,
    value: int,
    previous: int | None,
    *,
    looked_at: Total,
    counted: Total,
    amount: Decimal | UnsetType | None = UNSET,
    rebuilt: bool = False,
) -> Metric:
    """A number of things. counted: those behind it; amount: the money beside the count, None = none convertible.

    rebuilt: whether `previous` was worked out from the documents.
    """
    now, before = Decimal(value), None if previous is None else Decimal(previous)
    return _metric(
        facts,
        name=name,
        unit="count",
        value=now,
        previous=before,
        percent=change_percent(now, before),
        trend=direction(now, before),
        looked_at=looked_at,
        counted=counted,
        amount=amount if isinstance(amount, UnsetType) else rounded_or_none(amount, _money_places(facts)),
        rebuilt=rebuilt or UNSET,
    )


def ratio_metric(
    facts: TenantFacts, name: str, value: Decimal | None, previous: Decimal | None, *, looked_at: Total
) -> Metric:
    """A ratio 0..1, four decimals; None where its denominator is 0."""
    now, before = rounded_or_none(value, RATIO_PLACES), rounded_or_none(previous, RATIO_PLACES)
    return _metric(
        facts,
        name=name,
        unit="ratio",
        value=now,
        previous=before,
        percent=change_percent(now, before),
        trend=direction(now, before),
        looked_at=looked_at,
        counted=looked_at,
    )


def _metric(
    facts: TenantFacts,
    *,
    name: str,
    unit: Literal["money", "count", "ratio"],
    value: Decimal | None,
    previous: Decimal | None,
    percent: Decimal | None,
    trend: Trend,
    looked_at: Total,
    counted: Total,
    reason: str | UnsetType = UNSET,
    amount: Decimal | UnsetType | None = UNSET,
    rebuilt: bool | UnsetType = UNSET,
    day_share: Decimal = ONE,
) -> Metric:
    if not facts.has_documents:
        # What was there was taken out of the books: that is no development to speak of.
        trend, reason = "stable", UNSET
    trust, factors = confidence(looked_at, day_share)
    return Metric(
        name=name,
        value=value,
        previous=previous,
        rebuilt=rebuilt,
        change=difference(value, previous),
        change_percent=percent,
        trend=trend,
        good=is_good(name, trend),
        reason=reason,
        unit=unit,
        amount=amount,
        unconverted=counted.left_out.listed(),
        confidence=trust if facts.has_documents else ZERO,
        confidence_factors=factors,
        timestamp=instant(facts.clock.as_of),
    )


def _money_places(facts: TenantFacts) -> int:
    return exponent(facts.tenant.base_currency)
