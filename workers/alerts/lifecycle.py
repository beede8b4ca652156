"""What changes in a tenant's alerts when its rules are judged anew: pure, no clock, no database. Source: SPEC 4, Alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import msgspec

from workers.facts import KnownAlert
from workers.kpi.alerts import RECOVERED, Held, failing_alert

Kind = Literal["raised", "updated", "cleared", "reopened"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Which alerts of a tenant hold at the moment `at` (aware), on its local day `today`."""

    today: date
    at: datetime
    held: tuple[Held, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One alert's step. `alert`: as it stands from now on. relevelled: it became more or less severe."""

    kind: Kind
    alert: KnownAlert
    relevelled: bool = False


def changes(known: Sequence[KnownAlert], judged: Judgement) -> list[Change]:
    """The steps from what is known to what holds; none in the common case.

    Yesterday's alerts end here too: theirs are other ids, so what still holds is raised anew.
    """
    by_id = {alert.alert_id: alert for alert in known}
    steps = [step for held in judged.held if (step := _step(by_id.get(held.alert.id), known, held, judged))]
    holding = {held.alert.id for held in judged.held}
    return [*steps, *_cleared(known, holding, judged.at)]


def failing(
    tenant_id: str,
    known: Sequence[KnownAlert],
    *,
    today: date,
    since: datetime,
    at: datetime,
    about: str | None = None,
) -> list[Change]:
    """The steps when the tenant could not be computed: what holds today is left alone, for nothing newer is known."""
    trouble = failing_alert(tenant_id, today, since=since, now=at, about=about)
    holding = {alert.alert_id for alert in known if alert.local_date == today and alert.rule != RECOVERED}
    by_id = {alert.alert_id: alert for alert in known}
    step = _step(by_id.get(trouble.alert.id), known, trouble, Judgement(today=today, at=at, held=(trouble,)))
    return [*([step] if step else []), *_cleared(known, holding | {trouble.alert.id}, at)]


def _step(before: KnownAlert | None, known: Sequence[KnownAlert], held: Held, judged: Judgement) -> Change | None:
    if before is None:
        return Change(kind="raised", alert=_raised(known, held, judged))
    after = msgspec.structs.replace(
        before,
        level=held.alert.level,
        message=held.alert.message,
        action_required=held.alert.action_required,
        provisional=held.alert.provisional is True,
        params=bytes(held.alert.params).decode(),
        cleared_at=None,
    )
    if after == before:
        return None
    kind: Kind = "updated" if before.cleared_at is None else "reopened"
    return Change(kind=kind, alert=after, relevelled=after.level != before.level)


def _raised(known: Sequence[KnownAlert], held: Held, judged: Judgement) -> KnownAlert:
    alert = held.alert
    return KnownAlert(
        alert_id=alert.id,
        rule=held.rule,
        subject=held.subject,
        local_date=judged.today,
        level=alert.level,
        message=alert.message,
        metric=alert.metric,
        action_required=alert.action_required,
        provisional=alert.provisional is True,
        raised_at=judged.at,
        snoozed_until=_still_snoozed(known, held, judged.at),
        params=bytes(held.alert.params).decode(),
    )


def _still_snoozed(known: Sequence[KnownAlert], held: Held, at: datetime) -> datetime | None:
    """Who put a matter off for three days does not want to hear of it at midnight."""
    same = (alert.snoozed_until for alert in known if (alert.rule, alert.subject) == (held.rule, held.subject))
    return max((until for until in same if until is not None and until > at), default=None)


def _cleared(known: Sequence[KnownAlert], holding: set[str], at: datetime) -> Iterator[Change]:
    for alert in known:
        if alert.cleared_at is None and alert.alert_id not in holding:
            # A clock that went back must not make it end before it began.
            yield Change(kind="cleared", alert=msgspec.structs.replace(alert, cleared_at=max(at, alert.raised_at)))
