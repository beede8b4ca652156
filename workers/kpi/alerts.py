"""Which alerts hold now. Source: SPEC 4, Alerts.

What became of an alert (acknowledged, snoozed) is not looked at here: acknowledging changes no snapshot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import msgspec
from msgspec import UNSET

from shared.snapshot import DASHBOARD, SYSTEM, Alert, Level, Metric, instant
from workers.facts import TenantFacts
from workers.kpi.alert_rules import RULES, Params, Rule, Seen
from workers.kpi.money import ZERO
from workers.kpi.restatements import MOST_TOLD, NUMBERS_OF, Restatement, change_of, restated_in_words
from workers.kpi.sums import Sums

SEVERITY: tuple[Level, ...] = ("critical", "warning", "success", "info")
_ACTION_REQUIRED: frozenset[Level] = frozenset({"critical", "warning"})

FAILING = "computation_failing"
RECOVERED = "computation_recovered"
# How long it is news that the numbers are computed again.
RECOVERED_FOR = timedelta(hours=1)
# From then on a computation that fails is no passing trouble.
CRITICAL_AFTER = timedelta(minutes=10)


_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An alert whose rule holds now, and by which rule, about what."""

    rule: str
    subject: str
    alert: Alert


def held_alerts(
    facts: TenantFacts, metrics: Sequence[Metric], sums: Sums, restated: Sequence[Restatement]
) -> tuple[Held, ...]:
    """The alerts whose rule holds, most severe first."""
    found = [
        *_about_metrics(facts, metrics, sums),
        *_about_settings(facts),
        *_about_recovery(facts),
        *_about_the_first_day(facts),
        *_about_closed_months(facts, restated),
    ]
    return tuple(sorted(found, key=lambda held: SEVERITY.index(held.alert.level)))


def failing_alert(tenant_id: str, today: date, *, since: datetime, now: datetime, about: str | None = None) -> Held:
    """That the tenant's numbers cannot be computed, since when (both aware): a warning, then critical.

    `about` names the value that stops them, where it is known: "total of invoice 17".
    """
    lasting = now - since >= CRITICAL_AFTER
    level: Level = "critical" if lasting else "warning"
    how_long = "could not be brought up to date for ten minutes" if lasting else "cannot be brought up to date just now"
    hint = f" Please check the {about}." if about else ""
    alert = Alert(
        id=alert_id(tenant_id, FAILING, SYSTEM, today),
        level=level,
        message=f"Your numbers {how_long}. What you see is older.{hint}",
        metric=SYSTEM,
        action_required=is_action_required(level),
        timestamp=instant(now),
        rule=FAILING,
        params=_encoded({"since": instant(since)}),
    )
    return Held(rule=FAILING, subject=SYSTEM, alert=alert)


def alert_id(tenant_id: str, rule: str, subject: str, day: date) -> str:
    """Stable name of an alert: the same rule about the same subject on the same local day is the same alert."""
    parts = (tenant_id, rule, subject, day.isoformat())
    # Each part with its length: no two different alerts can read the same.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def is_action_required(level: Level) -> bool:
    """Whether an alert of that level asks the owner to do something."""
    return level in _ACTION_REQUIRED


def _encoded(params: Params) -> msgspec.Raw:
    return msgspec.Raw(_encoder.encode(params))


def _about_metrics(facts: TenantFacts, metrics: Sequence[Metric], sums: Sums) -> Iterator[Held]:
    seen = Seen(facts=facts, metrics={metric.name: metric for metric in metrics}, sums=sums)
    for rule in RULES:
        begins = _begins(rule, facts)
        if begins is not None and rule.holds(seen, begins):
            message = rule.message(seen, begins)
            params = {**rule.params(seen, begins), "threshold": begins, "currency": facts.tenant.base_currency}
            yield _held(facts, rule.name, rule.metric, rule.level, message, provisional=rule.provisional, params=params)


def _begins(rule: Rule, facts: TenantFacts) -> Decimal | None:
    value: Decimal | None = getattr(facts.thresholds, rule.name)
    return ZERO if value is None and rule.always else value


def _about_settings(facts: TenantFacts) -> Iterator[Held]:
    details = {issue.code: issue.detail for issue in facts.tenant.issues}
    for code, detail in sorted(details.items()):
        message = f"Please check the settings: {detail}."
        yield _held(facts, "data_issue", SYSTEM, "warning", message, subject=code, params={"code": code})


def _about_recovery(facts: TenantFacts) -> Iterator[Held]:
    """Said for an hour after a failing computation succeeded, at most until local midnight."""
    trouble = [alert for alert in facts.alerts if alert.rule == FAILING]
    over_since = [
        facts.clock.as_of if alert.cleared_at is None else alert.cleared_at
        for alert in trouble
        if alert.cleared_at is None or alert.local_date == facts.clock.today
    ]
    if over_since and facts.clock.as_of - max(over_since) < RECOVERED_FOR:
        yield _held(facts, RECOVERED, SYSTEM, "info", "Your numbers are up to date again.")


def _about_the_first_day(facts: TenantFacts) -> Iterator[Held]:
    """Holds until local midnight: as long as Daybook has kept no earlier day's close."""
    if not any(close.day < facts.clock.today for close in facts.closes):
        yield _held(facts, "first_snapshot", DASHBOARD, "info", "Your dashboard is ready. This is its first day.")


def _about_closed_months(facts: TenantFacts, restated: Sequence[Restatement]) -> Iterator[Held]:
    """Told on the day on which it happens: tomorrow the months are what they are now."""
    today, currency = facts.clock.today, facts.tenant.base_currency
    for metric, numbers in NUMBERS_OF.items():
        if found := [one for one in restated if one.number in numbers]:
            params = {"changes": [change_of(one) for one in found[:MOST_TOLD]], "more": len(found[MOST_TOLD:])}
            yield _held(
                facts,
                "restatement",
                metric,
                "info",
                restated_in_words(found, today, currency),
                params={**params, "currency": currency},
            )


def _held(
    facts: TenantFacts,
    rule: str,
    metric: str,
    level: Level,
    message: str,
    *,
    subject: str | None = None,
    provisional: bool = False,
    params: Params | None = None,
) -> Held:
    about = subject or metric
    name = alert_id(facts.tenant.tenant_id, rule, about, facts.clock.today)
    raised_at = next((known.raised_at for known in facts.alerts if known.alert_id == name), facts.clock.as_of)
    alert = Alert(
        id=name,
        level=level,
        message=message,
        metric=metric,
        action_required=is_action_required(level),
        timestamp=instant(raised_at),
        provisional=provisional or UNSET,
        rule=rule,
        params=_encoded(params or {}),
    )
    return Held(rule=rule, subject=about, alert=alert)
