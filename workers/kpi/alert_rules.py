"""The alert rules as data: what each looks at, where it begins, and what it says to the owner. Source: SPEC 4, Alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET

from shared.snapshot import CASH_FLOW, CONVERSION, OVERDUE, PROFIT, REVENUE, Level, Metric
from workers.facts import TenantFacts
from workers.kpi.days import Period, yesterday
from workers.kpi.money import ZERO, formatted, money, money_or_none
from workers.kpi.sums import Sums

Params = dict[str, Any]
"""What an alert's message says, as data; amounts are in the base currency."""

REVENUE_CONFIDENCE = Decimal("0.5")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule may look at: the metrics as the owner sees them, and the sums behind them."""

    facts: TenantFacts
    metrics: Mapping[str, Metric]
    sums: Sums

    def value(self, metric: str) -> Decimal | None:
        """A metric's rounded value."""
        return self.metrics[metric].value

    def money(self, amount: object) -> str:
        """An amount in base units, for a sentence."""
        return formatted(amount, self.facts.tenant.base_currency) if isinstance(amount, Decimal) else "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule about one metric. `name` is also the field of AlertThresholds where it begins.

    provisional: the day may still turn it, so it is not final before local midnight. always: it holds without a
    threshold too. holds, message, params: given the threshold, 0 when there is none. params: what the message says, as data.
    """

    name: str
    metric: str
    level: Level
    provisional: bool = False
    always: bool = False
    holds: Callable[[Seen, Decimal], bool]
    message: Callable[[Seen, Decimal], str]
    params: Callable[[Seen, Decimal], Params]


def _is_below(value: Decimal | None, floor: Decimal) -> bool:
    return value is not None and value < floor


def _is_above(value: object, limit: Decimal) -> bool:
    return isinstance(value, Decimal) and value > limit


def _has_risen(seen: Seen, percent: Decimal) -> bool:
    """From nothing, any rise is one; where no percentage is known, a threshold is not known to be reached."""
    revenue = seen.metrics[REVENUE]
    if revenue.trend != "up" or revenue.confidence < REVENUE_CONFIDENCE:
        return False
    if revenue.change_percent is None:
        return not revenue.previous or not percent
    return revenue.change_percent >= percent


def _largest_overdue(seen: Seen) -> Decimal:
    group = seen.sums.receivables.largest_overdue
    return money(ZERO if group is None else group.largest or ZERO, seen.facts.tenant.base_currency)


def _named_largest(seen: Seen) -> str:
    """The largest overdue invoice by its number and client, as far as they are known; "" without."""
    group = seen.sums.receivables.largest_overdue
    if group is None or group.largest_id is None:
        return ""
    client = group.name or group.client_id
    return (group.largest_reference or group.largest_id) + (f" of {client}" if client else "")


def _about_largest(seen: Seen) -> Params:
    group = seen.sums.receivables.largest_overdue
    if group is None:
        return {}
    invoice = {
        "id": group.largest_id,
        "reference": group.largest_reference,
        "amount": _largest_overdue(seen),
        "client": {"id": group.client_id, "name": group.name},
    }
    return {"largest": invoice}


def _month_revenue(seen: Seen, *, until_yesterday: bool = False) -> Decimal | None:
    today = seen.facts.clock.today
    month = Period(today.replace(day=1), yesterday(today) if until_yesterday else today)
    return money_or_none(seen.sums.revenue.total(month).value, seen.facts.tenant.base_currency)


def _reached_today(seen: Seen, target: Decimal) -> bool:
    """Told on the day on which it is reached, not on every day of the rest of the month."""
    now, before = _month_revenue(seen), _month_revenue(seen, until_yesterday=True)
    return now is not None and now >= target and (before is None or before < target)


def _expiring(seen: Seen, days: Decimal) -> int:
    last = seen.facts.clock.today + timedelta(days=int(days))
    return sum(group.documents for group in seen.facts.quotes if group.expires_on and group.expires_on <= last)


def _overdue_message(seen: Seen, _: Decimal) -> str:
    metric = seen.metrics[OVERDUE]
    amounts = [] if metric.amount in (None, UNSET) else [seen.money(metric.amount)]
    amounts += [formatted(left.amount, left.currency) for left in metric.unconverted]
    subject = "1 invoice is" if metric.value == 1 else f"{metric.value} invoices are"
    named = _named_largest(seen)
    largest = f" The largest is {named}: {seen.money(_largest_overdue(seen))}." if named else ""
    return f"{subject} overdue: {' and '.join(amounts)}.{largest}"


def _large_message(seen: Seen, _: Decimal) -> str:
    named = _named_largest(seen)
    return f"The largest overdue invoice is {named + ': ' if named else ''}{seen.money(_largest_overdue(seen))}."


def _overdue_params(seen: Seen, _: Decimal) -> Params:
    metric = seen.metrics[OVERDUE]
    left_out = [{"currency": left.currency, "amount": left.amount} for left in metric.unconverted]
    amount = None if metric.amount is UNSET else metric.amount
    return {"count": metric.value, "amount": amount, "unconverted": left_out, **_about_largest(seen)}


def _value(metric: str) -> Callable[[Seen, Decimal], Params]:
    return lambda seen, _: {"value": seen.value(metric)}


def _revenue_params(seen: Seen, _: Decimal) -> Params:
    metric = seen.metrics[REVENUE]
    return {"value": metric.value, "previous": metric.previous, "change_percent": metric.change_percent}


def _revenue_message(seen: Seen, _: Decimal) -> str:
    metric = seen.metrics[REVENUE]
    percent = "" if metric.change_percent is None else f" (+{metric.change_percent:,f} %)"
    return f"Today's revenue is {seen.money(metric.value)}, up from {seen.money(metric.previous)} yesterday{percent}."


def _expiring_message(seen: Seen, days: Decimal) -> str:
    count = _expiring(seen, days)
    subject = "1 open quote expires" if count == 1 else f"{count} open quotes expire"
    return f"{subject} {'today' if days == 0 else 'today or tomorrow' if days == 1 else f'within {days:f} days'}."


RULES = (
    Rule(
        name="profit_floor",
        metric=PROFIT,
        level="critical",
        provisional=True,
        holds=lambda seen, floor: _is_below(seen.value(PROFIT), floor),
        message=lambda seen, _: f"Today's profit is {seen.money(seen.value(PROFIT))} so far.",
        params=_value(PROFIT),
    ),
    Rule(
        name="overdue_count",
        metric=OVERDUE,
        level="warning",
        holds=lambda seen, count: _is_above(seen.value(OVERDUE), count),
        message=_overdue_message,
        params=_overdue_params,
    ),
    Rule(
        name="overdue_amount",
        metric=OVERDUE,
        level="warning",
        holds=lambda seen, amount: _is_above(seen.metrics[OVERDUE].amount, amount),
        message=lambda seen, limit: (
            f"{seen.money(seen.metrics[OVERDUE].amount)} are overdue, more than {seen.money(limit)}."
        ),
        params=_overdue_params,
    ),
    Rule(
        name="large_overdue_invoice",
        metric=OVERDUE,
        level="warning",
        holds=lambda seen, amount: _largest_overdue(seen) >= amount,
        message=_large_message,
        params=lambda seen, _: _about_largest(seen),
    ),
    Rule(
        name="cash_below",
        metric=CASH_FLOW,
        level="warning",
        provisional=True,
        holds=lambda seen, floor: _is_below(seen.value(CASH_FLOW), floor),
        message=lambda seen, floor: (
            f"Today's cash flow is {seen.money(seen.value(CASH_FLOW))} so far, below {seen.money(floor)}."
        ),
        params=_value(CASH_FLOW),
    ),
    Rule(
        name="revenue_growth",
        metric=REVENUE,
        level="success",
        always=True,
        holds=_has_risen,
        message=_revenue_message,
        params=_revenue_params,
    ),
    Rule(
        name="monthly_revenue_target",
        metric=REVENUE,
        level="success",
        holds=_reached_today,
        message=lambda seen, target: (
            f"This month's revenue has reached its target: {seen.money(_month_revenue(seen))} of {seen.money(target)}."
        ),
        params=lambda seen, _: {"value": _month_revenue(seen)},
    ),
    Rule(
        name="quote_expiring",
        metric=CONVERSION,
        level="info",
        holds=lambda seen, days: _expiring(seen, days) > 0,
        message=_expiring_message,
        params=lambda seen, days: {"count": _expiring(seen, days)},
    ),
)
