"""One tenant's facts to its dashboard: the only door into this folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from shared.snapshot import CASH_FLOW, EXPENSES, PROFIT, REVENUE, Metric, Overview, Snapshot, instant
from workers.facts import Clock, Close, ShownMonths, TenantFacts
from workers.kpi.alert_rules import REVENUE_CONFIDENCE
from workers.kpi.alerts import FAILING, Held, held_alerts
from workers.kpi.clients import activity_metric
from workers.kpi.confidence import confidence
from workers.kpi.days import elapsed_share
from workers.kpi.metrics import Daily, flow_at, flow_metric, sample
from workers.kpi.missing_rates import missing_rates
from workers.kpi.money import RATIO_PLACES, exact, money_or_none, rounded_or_none
from workers.kpi.overview import overview
from workers.kpi.quotes import conversion_metric
from workers.kpi.receivables import overdue_metric, pending_metric
from workers.kpi.restatements import Restatement, is_kept, restatements, shown_months
from workers.kpi.score import performance_score
from workers.kpi.score_inputs import score_inputs
from workers.kpi.sums import Sums, sums
from workers.kpi.totals import Total
from workers.kpi.trend import DOWN_IS_SAID_FROM


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """What is computed of a tenant: snapshot and overview for the clients, the close for tomorrow's comparison.

    held: the snapshot's alerts, each with its rule. months: what is to be kept of the closed months; None: as it is kept.
    restated: those of them that have changed today. samples: what the confidences of the flows look at, in the order of
    the snapshot's first metrics.
    """

    snapshot: Snapshot
    overview: Overview
    close: Close
    held: tuple[Held, ...]
    months: ShownMonths | None
    restated: tuple[Restatement, ...]
    samples: tuple[Total, ...]


def dashboard(facts: TenantFacts, *, computed_at: datetime) -> Dashboard:
    """The tenant's dashboard as of `facts.clock`. computed_at: aware, when this was called; nothing else looks at it.

    Raises ValueError for an amount or an interval that is no number to compute with. Source: SPEC 4.
    """
    with exact():
        known = sums(facts)
        samples = tuple(sample(facts.clock, flow) for _, flow in _flows(known))
        metrics = _metrics(facts, known, samples)
        long_form = overview(facts, known, computed_at=computed_at)
        months = shown_months(facts, long_form.months)
        restated = restatements(facts, months)
        held = held_alerts(facts, metrics, known, restated)
        return Dashboard(
            snapshot=_snapshot(facts, known, metrics, held, computed_at),
            overview=long_form,
            close=_close(facts, known),
            held=held,
            months=None if is_kept(facts, months.months) else months,
            restated=restated,
            samples=samples,
        )


def follows_from_rows_alone(facts: TenantFacts, made: Dashboard) -> bool:
    """Whether the same rows give the same dashboard all day but for times and confidences, unless `hinges_on` says otherwise.

    Not so where something is told of when it was seen first or how long ago it was, or was asked for beside the facts.
    """
    known = {alert.alert_id for alert in facts.alerts}
    return (
        facts.has_documents
        and facts.rebuilt is None
        and not made.restated
        and all(held.alert.id in known for held in made.held)
        and all(alert.rule != FAILING for alert in facts.alerts)
    )


def hinges_on(clock: Clock, samples: Sequence[Total]) -> tuple[bool, ...]:
    """What the moment decides: the numbers are the same at moments of a local day of which this is the same."""
    day_share = elapsed_share(clock)
    with exact():
        revenue, _ = confidence(samples[0], day_share)
    return day_share >= DOWN_IS_SAID_FROM, revenue >= REVENUE_CONFIDENCE


def snapshot_at(snapshot: Snapshot, samples: Sequence[Total], clock: Clock, *, computed_at: datetime) -> Snapshot:
    """The snapshot of the same rows at another moment of the same local day, on which nothing hinges."""
    flows, others = snapshot.metrics[: len(samples)], snapshot.metrics[len(samples) :]
    with exact():
        moved = tuple(flow_at(metric, looked_at, clock) for metric, looked_at in zip(flows, samples, strict=True))
    as_of = instant(clock.as_of)
    return msgspec.structs.replace(
        snapshot,
        timestamp=instant(computed_at),
        as_of=as_of,
        computed_at=instant(computed_at),
        metrics=(*moved, *(msgspec.structs.replace(metric, timestamp=as_of) for metric in others)),
    )


def _flows(known: Sums) -> tuple[tuple[str, Daily], ...]:
    return (
        (REVENUE, known.revenue),
        (EXPENSES, known.expenses),
        (PROFIT, known.profit),
        (CASH_FLOW, known.cash.net),
    )


def _metrics(facts: TenantFacts, known: Sums, samples: Sequence[Total]) -> tuple[Metric, ...]:
    day_share = elapsed_share(facts.clock)
    flows = zip(_flows(known), samples, strict=True)
    return (
        *(flow_metric(facts, name, flow, looked_at, day_share) for (name, flow), looked_at in flows),
        pending_metric(facts, known.receivables),
        overdue_metric(facts, known.receivables),
        conversion_metric(facts, known.quotes),
        activity_metric(facts),
    )


def _snapshot(
    facts: TenantFacts, known: Sums, metrics: tuple[Metric, ...], held: tuple[Held, ...], computed_at: datetime
) -> Snapshot:
    tenant = facts.tenant
    score = performance_score(score_inputs(facts, known))
    return Snapshot(
        user_id=tenant.tenant_id,
        timestamp=instant(computed_at),
        as_of=instant(facts.clock.as_of),
        computed_at=instant(computed_at),
        currency=tenant.base_currency,
        timezone=tenant.timezone,
        basis=tenant.basis,
        name=tenant.name,
        local_date=facts.clock.today,
        state="ok" if facts.has_documents else "no_data",
        data_issues=(*tenant.issues, *missing_rates(facts)),
        performance_score=score.value,
        score=score,
        metrics=metrics,
        alerts=tuple(one.alert for one in held),
    )


def _close(facts: TenantFacts, known: Sums) -> Close:
    """The balance metrics as served now; the last one of a local day is what the next day is compared with."""
    now, base = known.receivables, facts.tenant.base_currency
    return Close(
        day=facts.clock.today,
        pending=now.pending.documents,
        pending_amount=money_or_none(now.pending.value, base),
        overdue=now.overdue.documents,
        overdue_amount=money_or_none(now.overdue.value, base),
        conversion=rounded_or_none(known.quotes.conversion, RATIO_PLACES),
        active_clients=facts.activity.current,
    )
