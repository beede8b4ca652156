"""Which rules hold now, and what to tell the owner about each. Source: SPEC 4, Alerts.

An alert's life (raised, acknowledged, cleared) is not known here: these are the rules that hold, whatever became of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from msgspec import UNSET

from shared.snapshot import DASHBOARD, OVERDUE, PROFIT, REVENUE, SYSTEM, Alert, Level, Metric, instant
from workers.facts import TenantFacts
from workers.kpi.money import ZERO, formatted

SEVERITY: tuple[Level, ...] = ("critical", "warning", "success", "info")
_ACTION_REQUIRED: frozenset[Level] = frozenset({"critical", "warning"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Where the rules begin. overdue_count: fires above it. profit_floor: base units, fires below it."""

    overdue_count: int = 5
    profit_floor: Decimal = ZERO
    revenue_confidence: Decimal = Decimal("0.5")


DEFAULTS = Thresholds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule about one metric, looking at what the owner sees: the rounded values.

    provisional: the day may still turn it, so it is not final before local midnight.
    """

    name: str
    metric: str
    level: Level
    provisional: bool = False
    holds: Callable[[Metric, Thresholds], bool]
    message: Callable[[Metric, str], str]


def _profit_message(metric: Metric, currency: str) -> str:
    return f"Today's profit is {_said(metric.value, currency)} so far."


def _overdue_message(metric: Metric, currency: str) -> str:
    amounts = [] if metric.amount in (None, UNSET) else [_said(metric.amount, currency)]
    amounts += [formatted(left.amount, left.currency) for left in metric.unconverted]
    subject = "1 invoice is" if metric.value == 1 else f"{metric.value} invoices are"
    return f"{subject} overdue: {' and '.join(amounts)}."


def _revenue_message(metric: Metric, currency: str) -> str:
    percent = "" if metric.change_percent is None else f" (+{metric.change_percent:,f} %)"
    now, before = _said(metric.value, currency), _said(metric.previous, currency)
    return f"Today's revenue is {now}, up from {before} yesterday{percent}."


def _said(amount: object, currency: str) -> str:
    return formatted(amount, currency) if isinstance(amount, Decimal) else "unknown"


RULES = (
    Rule(
        name="profit_below_floor",
        metric=PROFIT,
        level="critical",
        provisional=True,
        holds=lambda metric, limits: metric.value is not None and metric.value < limits.profit_floor,
        message=_profit_message,
    ),
    Rule(
        name="overdue_count",
        metric=OVERDUE,
        level="warning",
        holds=lambda metric, limits: metric.value is not None and metric.value > limits.overdue_count,
        message=_overdue_message,
    ),
    Rule(
        name="revenue_up",
        metric=REVENUE,
        level="success",
        holds=lambda metric, limits: metric.trend == "up" and metric.confidence >= limits.revenue_confidence,
        message=_revenue_message,
    ),
)


def alerts(facts: TenantFacts, metrics: Sequence[Metric], thresholds: Thresholds = DEFAULTS) -> tuple[Alert, ...]:
    """The alerts whose rule holds, most severe first."""
    raised = [
        *_about_metrics(facts, metrics, thresholds),
        *_about_settings(facts),
        *_about_the_first_day(facts),
    ]
    return tuple(sorted(raised, key=lambda alert: SEVERITY.index(alert.level)))


def alert_id(tenant_id: str, rule: str, subject: str, day: date) -> str:
    """Stable name of an alert: the same rule about the same subject on the same local day is the same alert."""
    parts = (tenant_id, rule, subject, day.isoformat())
    # Each part with its length: no two different alerts can read the same.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _about_metrics(facts: TenantFacts, metrics: Sequence[Metric], thresholds: Thresholds) -> Iterator[Alert]:
    by_name = {metric.name: metric for metric in metrics}
    for rule in RULES:
        metric = by_name[rule.metric]
        if rule.holds(metric, thresholds):
            message = rule.message(metric, facts.tenant.base_currency)
            yield _alert(facts, rule.name, rule.metric, rule.level, message, provisional=rule.provisional)


def _about_settings(facts: TenantFacts) -> Iterator[Alert]:
    details = {issue.code: issue.detail for issue in facts.tenant.issues}
    for code, detail in sorted(details.items()):
        message = f"Please check the settings: {detail}."
        yield _alert(facts, "data_issue", SYSTEM, "warning", message, subject=code)


def _about_the_first_day(facts: TenantFacts) -> Iterator[Alert]:
    """Holds until local midnight: as long as Daybook has kept no earlier day's close."""
    if not any(close.day < facts.clock.today for close in facts.closes):
        yield _alert(facts, "first_snapshot", DASHBOARD, "info", "Your dashboard is ready. This is its first day.")


def _alert(
    facts: TenantFacts,
    rule: str,
    metric: str,
    level: Level,
    message: str,
    *,
    subject: str | None = None,
    provisional: bool = False,
) -> Alert:
    return Alert(
        id=alert_id(facts.tenant.tenant_id, rule, subject or metric, facts.clock.today),
        level=level,
        message=message,
        metric=metric,
        action_required=level in _ACTION_REQUIRED,
        timestamp=instant(facts.clock.as_of),
        provisional=provisional or UNSET,
    )
