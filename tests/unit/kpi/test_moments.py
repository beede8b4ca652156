"""The same rows at another moment of the same day: what is told again is what would be computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.snapshot import encode, overview_at
from tests.unit.kpi.given import TODAY, YESTERDAY, check_case, clock, close, computed, expense, facts, invoice
from tests.unit.kpi.random_facts import random_facts
from workers.facts import Clock, KnownAlert, RebuiltClose, TenantFacts
from workers.kpi.alerts import FAILING
from workers.kpi.dashboard import Dashboard, dashboard, follows_from_rows_alone, hinges_on, snapshot_at

LATER = datetime(2026, 3, 12, tzinfo=UTC)


def known(made: Dashboard) -> tuple[KnownAlert, ...]:
    """The alerts of a dashboard as they are kept."""
    return tuple(
        KnownAlert(
            alert_id=held.alert.id,
            rule=held.rule,
            subject=held.subject,
            local_date=made.snapshot.local_date,
            level=held.alert.level,
            message=held.alert.message,
            metric=held.alert.metric,
            action_required=held.alert.action_required,
            provisional=held.alert.provisional is True,
            raised_at=datetime.fromisoformat(held.alert.timestamp),
        )
        for held in made.held
    )


def settled(given: TenantFacts) -> TenantFacts:
    """The facts as they are once the tenant's alerts are kept."""
    return replace(given, closes=(close(),), alerts=known(computed(replace(given, closes=(close(),)))))


def moved(given: TenantFacts, at: Clock) -> tuple[bytes, bytes]:
    """What is told again at that moment."""
    made = computed(given)
    snapshot = snapshot_at(made.snapshot, made.samples, at, computed_at=LATER)
    return encode(snapshot), overview_at(encode(made.overview), as_of=snapshot.as_of, computed_at=snapshot.computed_at)


def anew(given: TenantFacts, at: Clock) -> tuple[bytes, bytes]:
    """What is computed at that moment."""
    made = dashboard(replace(given, clock=at), computed_at=LATER)
    return encode(made.snapshot), encode(made.overview)


@settings(max_examples=300, deadline=None)
@given(given=random_facts(), minute=st.integers(0, 1439))
def test_whatever_the_rows_are(given: TenantFacts, minute: int) -> None:
    given = settled(given)
    made, at = computed(given), clock(hour=minute // 60, minute=minute % 60)
    assume(follows_from_rows_alone(given, made) and hinges_on(at, made.samples) == hinges_on(given.clock, made.samples))

    assert moved(given, at) == anew(given, at)
    assert dashboard(replace(given, clock=at), computed_at=LATER).held == made.held


@pytest.mark.parametrize(
    ("day", "zone"), [(date(2026, 3, 8), "America/New_York"), (date(2026, 10, 25), "Europe/Berlin")]
)
def test_on_days_of_23_and_of_25_hours(day: date, zone: str) -> None:
    rows = replace(check_case(), clock=clock(day, zone=zone, hour=1), alerts=())
    given = replace(rows, closes=(close(day - timedelta(days=1)),))
    given = replace(given, alerts=known(computed(given)))
    at = clock(day, zone=zone, hour=6)
    assert hinges_on(at, computed(given).samples) == hinges_on(given.clock, computed(given).samples)
    assert moved(given, at) == anew(given, at)


def test_what_falls_is_said_to_fall_in_the_evening() -> None:
    given = settled(facts(invoices=(invoice(YESTERDAY, "100"),)))
    samples = computed(given).samples
    at = replace(given, clock=clock(hour=18)).clock
    assert computed(given).snapshot.metrics[0].trend == "stable"
    assert dashboard(replace(given, clock=at), computed_at=LATER).snapshot.metrics[0].trend == "down"
    assert hinges_on(at, samples) != hinges_on(given.clock, samples)


def test_what_rises_is_told_once_there_is_trust_in_it() -> None:
    many = invoice(TODAY, "100", documents=90)
    given = settled(facts(at=clock(hour=12), invoices=(many,)))
    samples = computed(given).samples
    at = clock(hour=14)
    assert "revenue_growth" not in {held.rule for held in computed(given).held}
    assert "revenue_growth" in {held.rule for held in dashboard(replace(given, clock=at), computed_at=LATER).held}
    assert hinges_on(at, samples) != hinges_on(given.clock, samples)


def failing(given: TenantFacts) -> TenantFacts:
    trouble = KnownAlert(
        alert_id="x",
        rule=FAILING,
        subject="System",
        local_date=TODAY,
        level="warning",
        message="",
        metric="System",
        action_required=True,
        provisional=False,
        raised_at=given.clock.as_of,
    )
    return replace(given, alerts=(*given.alerts, trouble))


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(failing, id="how long ago it failed"),
        pytest.param(lambda given: replace(given, alerts=()), id="when an alert began"),
        pytest.param(lambda given: replace(given, rebuilt=RebuiltClose()), id="yesterday, worked out from documents"),
        pytest.param(lambda given: replace(given, has_documents=False), id="nothing at all"),
    ],
)
def test_what_more_than_rows_decides_is_not_told_again(seen: Callable[[TenantFacts], TenantFacts]) -> None:
    given = settled(facts(expenses=(expense(TODAY, "5000"),)))
    assert follows_from_rows_alone(given, computed(given))
    assert computed(given).held
    assert not follows_from_rows_alone(seen(given), computed(seen(given)))
