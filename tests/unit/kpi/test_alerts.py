"""Which alerts a snapshot lists, what they say and how they are told apart. SPEC 4, Alerts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import UNSET

from shared.snapshot import DataIssue
from tests.unit.kpi.given import (
    TODAY,
    YESTERDAY,
    D,
    ago,
    alerts_of,
    clock,
    close,
    computed,
    expense,
    facts,
    invoice,
    open_invoice,
    tenant,
)
from workers.facts import TenantFacts
from workers.kpi.alerts import Thresholds, alert_id, alerts

KNOWN = (close(),)
LOSS = (expense(TODAY, "1350.5"),)


def overdue(count: int) -> TenantFacts:
    return facts(closes=KNOWN, open_invoices=(open_invoice("470", bucket="1-30", documents=count),))


def growing(*, hour: int = 20, documents: int = 30) -> TenantFacts:
    return facts(
        closes=KNOWN,
        at=clock(hour=hour),
        invoices=(invoice(TODAY, "1500", documents=documents), invoice(YESTERDAY, "1000")),
    )


def test_a_quiet_day_has_no_alert() -> None:
    assert alerts_of(facts(closes=KNOWN)) == ()


def test_a_loss_is_critical_and_provisional() -> None:
    (alert,) = alerts_of(facts(closes=KNOWN, expenses=LOSS))
    assert (alert.level, alert.metric, alert.action_required, alert.provisional) == (
        "critical",
        "Daily Profit",
        True,
        True,
    )
    assert alert.message == "Today's profit is -1,350.50 USD so far."


@pytest.mark.parametrize(("revenue", "fires"), [("1350.49", True), ("1350.50", False), ("1350.496", False)])
def test_a_loss_is_one_that_can_be_seen(revenue: str, fires: bool) -> None:
    """At 1350.496 the day's profit reads 0.00: nothing that the owner could find negative."""
    given = facts(closes=KNOWN, expenses=LOSS, invoices=(invoice(TODAY, revenue),))
    assert bool(alerts_of(given)) is fires


def test_a_profit_that_cannot_be_computed_is_no_loss() -> None:
    given = facts(closes=KNOWN, expenses=LOSS, invoices=(invoice(TODAY, "10", currency="EUR"),))
    assert alerts_of(given) == ()


@pytest.mark.parametrize(("count", "fires"), [(0, False), (5, False), (6, True)])
def test_five_overdue_invoices_are_none_six_fire(count: int, fires: bool) -> None:
    found = alerts_of(overdue(count))
    assert bool(found) is fires
    for alert in found:
        assert (alert.level, alert.metric, alert.action_required) == ("warning", "Overdue Invoices", True)
        assert alert.provisional is UNSET
        assert alert.message == "6 invoices are overdue: 470.00 USD."


def test_overdue_amounts_without_a_rate_are_named_in_their_own_currency() -> None:
    group = open_invoice("88000", bucket="90+", currency="JPY", documents=7)
    (alert,) = alerts_of(facts(closes=KNOWN, open_invoices=(group,)))
    assert alert.message == "7 invoices are overdue: 88,000 JPY."
    known = open_invoice("1000", bucket="1-30")
    (alert,) = alerts_of(facts(closes=KNOWN, open_invoices=(group, known)))
    assert alert.message == "8 invoices are overdue: 1,000.00 USD and 88,000 JPY."


def test_revenue_up_is_a_success() -> None:
    (alert,) = alerts_of(growing())
    assert (alert.level, alert.metric, alert.action_required) == ("success", "Daily Revenue", False)
    assert alert.message == "Today's revenue is 1,500.00 USD, up from 1,000.00 USD yesterday (+50.0 %)."


def test_revenue_up_from_nothing_names_no_percentage() -> None:
    given = facts(closes=KNOWN, at=clock(hour=23), invoices=(invoice(TODAY, "1500", documents=30),))
    (alert,) = alerts_of(given)
    assert alert.message == "Today's revenue is 1,500.00 USD, up from 0.00 USD yesterday."


@pytest.mark.parametrize(
    ("documents", "hour", "fires"),
    [
        (29, 16, True),  # 30/40 × 16/24 = 0.5
        (29, 15, False),  # 30/40 × 15/24 = 0.47
        (9, 23, False),  # 10/20 × 23/24 = 0.48
    ],
)
def test_revenue_up_is_said_with_a_confidence_of_one_half(documents: int, hour: int, fires: bool) -> None:
    assert bool(alerts_of(growing(hour=hour, documents=documents))) is fires


@pytest.mark.parametrize(
    ("closes", "fires"),
    [((), True), ((close(TODAY),), True), ((close(),), False), ((close(ago(9)), close(TODAY)), False)],
)
def test_the_first_snapshot_is_told_until_local_midnight(closes: tuple[object, ...], fires: bool) -> None:
    found = alerts_of(facts(closes=closes))
    assert bool(found) is fires
    for alert in found:
        assert (alert.level, alert.metric, alert.action_required) == ("info", "Dashboard", False)


def test_what_is_wrong_with_the_settings_is_a_warning_each() -> None:
    issues = (
        DataIssue(code="unknown_timezone", detail="there is no time zone 'Mars/Olympus'; UTC is used instead"),
        DataIssue(code="unknown_basis", detail="there is no basis 'barter'; accrual is used instead"),
    )
    given = replace(facts(closes=KNOWN), tenant=tenant(issues=issues))
    found = alerts_of(given)
    assert [(alert.level, alert.metric, alert.action_required) for alert in found] == [("warning", "System", True)] * 2
    assert {alert.message for alert in found} == {f"Please check the settings: {issue.detail}." for issue in issues}
    assert len({alert.id for alert in found}) == 2
    assert computed(given).snapshot.data_issues == issues


def test_the_most_severe_come_first() -> None:
    given = facts(
        at=clock(hour=23),
        tenant=tenant(issues=(DataIssue(code="unknown_basis", detail="No such basis."),)),
        invoices=(invoice(TODAY, "1500", documents=30),),
        expenses=(expense(TODAY, "9000"),),
        open_invoices=(open_invoice("1", bucket="1-30", documents=6),),
    )
    assert [alert.level for alert in alerts_of(given)] == ["critical", "warning", "warning", "success", "info"]


def test_an_alert_keeps_its_id_while_the_number_changes_and_gets_a_new_one_the_next_day() -> None:
    first = facts(closes=KNOWN, expenses=LOSS)
    worse = facts(closes=KNOWN, expenses=(expense(TODAY, "9999"),), at=clock(hour=23))
    tomorrow = TODAY + timedelta(days=1)
    later = facts(closes=KNOWN, expenses=(expense(tomorrow, "1"),), at=clock(tomorrow))
    ids = [alerts_of(given)[0].id for given in (first, worse, later)]
    assert ids[0] == ids[1] == alert_id("A", "profit_below_floor", "Daily Profit", TODAY)
    assert ids[2] != ids[0]


def test_ids_differ_in_every_part_and_are_fit_for_a_url() -> None:
    ids = {
        alert_id("A", "r", "s", TODAY),
        alert_id("B", "r", "s", TODAY),
        alert_id("A", "q", "s", TODAY),
        alert_id("A", "r", "t", TODAY),
        alert_id("A", "r", "s", YESTERDAY),
        alert_id("A", "rs", "", TODAY),
        alert_id("Ar", "", "s", TODAY),
        alert_id("1:A", "r", "s", TODAY),
    }
    assert len(ids) == 8
    assert all(name.isalnum() and name.isascii() and len(name) == 24 for name in ids)


def test_thresholds_move_the_rules() -> None:
    given = facts(
        closes=KNOWN,
        invoices=(invoice(TODAY, "50"),),
        open_invoices=(open_invoice("1", bucket="1-30", documents=1),),
    )
    metrics = computed(given).snapshot.metrics
    found = alerts(given, metrics, Thresholds(overdue_count=0, profit_floor=D(51)))
    assert [alert.message for alert in found] == [
        "Today's profit is 50.00 USD so far.",
        "1 invoice is overdue: 1.00 USD.",
    ]
    assert alerts(given, metrics) == ()


def test_alerts_carry_the_moment_the_database_was_read() -> None:
    (alert,) = alerts_of(facts(closes=KNOWN, expenses=LOSS))
    # 14:00 in New York, four hours behind UTC since the 8th
    assert alert.timestamp == "2026-03-11T18:00:00.000Z"
