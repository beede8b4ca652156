"""Which alerts a snapshot lists, what they say and how they are told apart. SPEC 4, Alerts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from msgspec import UNSET, structs

from shared.snapshot import DataIssue
from shared.thresholds import AlertThresholds
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
    payment,
    quote,
    tenant,
)
from workers.facts import Clock, KnownAlert, TenantFacts
from workers.kpi.alerts import alert_id

KNOWN = (close(),)
LOSS = (expense(TODAY, "1350.5"),)


def overdue(count: int) -> TenantFacts:
    return facts(closes=KNOWN, open_invoices=(open_invoice("470", bucket="1-30", documents=count),))


def messages(given: TenantFacts, **thresholds: Decimal) -> list[str]:
    """What is said with these thresholds, and the defaults for the others."""
    return [alert.message for alert in alerts_of(replace(given, thresholds=AlertThresholds(**thresholds)))]


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


@pytest.mark.parametrize(("revenue", "fires"), [("1350.49", True), ("1350.50", False)])
def test_a_loss_is_one_that_can_be_seen(revenue: str, fires: bool) -> None:
    given = facts(closes=KNOWN, expenses=LOSS, invoices=(invoice(TODAY, revenue),))
    assert bool(alerts_of(given)) is fires


def test_a_profit_that_cannot_be_computed_is_no_loss() -> None:
    given = facts(closes=KNOWN, expenses=LOSS, invoices=(invoice(TODAY, "10", no_rate="EUR"),))
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
    assert ids[0] == ids[1] == alert_id("A", "profit_floor", "Daily Profit", TODAY)
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
    assert messages(given, overdue_count=D(0), profit_floor=D(51)) == [
        "Today's profit is 50.00 USD so far.",
        "1 invoice is overdue: 1.00 USD.",
    ]
    assert alerts_of(given) == ()


@pytest.mark.parametrize(("limit", "fires"), [("470", False), ("469.99", True)])
def test_an_overdue_amount_is_told_above_its_threshold(limit: str, fires: bool) -> None:
    found = messages(overdue(1), overdue_amount=D(limit))
    assert found == (["470.00 USD are overdue, more than 469.99 USD."] if fires else [])


@pytest.mark.parametrize(("floor", "fires"), [("-100", False), ("-99.99", True)])
def test_cash_flow_is_told_below_its_threshold(floor: str, fires: bool) -> None:
    given = facts(closes=KNOWN, payments=(payment(TODAY, "-100", kind="refund"),))
    found = messages(given, cash_below=D(floor))
    assert found == (["Today's cash flow is -100.00 USD so far, below -99.99 USD."] if fires else [])


def test_a_rise_of_unknown_size_is_told_only_where_any_rise_is() -> None:
    """EUR 7 of yesterday has no rate: revenue is up, nobody knows by how many percent."""
    given = growing()
    unsure = replace(given, invoices=(*given.invoices, invoice(YESTERDAY, "7", no_rate="EUR")))
    assert messages(unsure, revenue_growth=D(50)) == []
    assert messages(unsure) == ["Today's revenue is 1,500.00 USD, up from 1,000.00 USD yesterday."]


def test_a_missing_rate_is_no_alert() -> None:
    given = facts(closes=KNOWN, open_invoices=(open_invoice("7", currency="EUR"),))
    assert [issue.code for issue in computed(given).snapshot.data_issues] == ["missing_rate"]
    assert alerts_of(given) == ()


@pytest.mark.parametrize(("percent", "fires"), [("50", True), ("50.1", False)])
def test_a_rise_in_revenue_is_told_from_its_threshold_on(percent: str, fires: bool) -> None:
    assert bool(messages(growing(), revenue_growth=D(percent))) is fires


@pytest.mark.parametrize(("limit", "fires"), [("300", True), ("300.01", False)])
def test_a_single_large_overdue_invoice_is_told_at_todays_rate(limit: str, fires: bool) -> None:
    groups = (
        open_invoice("900", bucket="1-30", documents=9, largest="150"),
        # 200 EUR × 1.5 today
        open_invoice("200", bucket="90+", currency="EUR", base="300"),
        # not due yet, and no rate at all: neither is large
        open_invoice("5000"),
        open_invoice("99999", bucket="1-30", currency="JPY"),
    )
    given = facts(closes=KNOWN, open_invoices=groups)
    found = messages(given, large_overdue_invoice=D(limit), overdue_count=D(100))
    assert found == (["The largest overdue invoice is 300.00 USD."] if fires else [])


@pytest.mark.parametrize(
    ("days", "message"),
    [
        ("0", "1 open quote expires today."),
        ("1", "3 open quotes expire today or tomorrow."),
        ("7", "4 open quotes expire within 7 days."),
    ],
)
def test_open_quotes_that_expire_soon_are_told(days: str, message: str) -> None:
    expiring = {0: 1, 1: 2, 7: 1, 8: 5}
    quotes = [
        structs.replace(quote("open", documents=count), expires_on=TODAY + timedelta(days=in_days))
        for in_days, count in expiring.items()
    ]
    given = facts(closes=KNOWN, quotes=(*quotes, quote("open"), quote("won")))
    assert messages(given, quote_expiring=D(days)) == [message]
    assert messages(facts(closes=KNOWN, quotes=(quote("open"),)), quote_expiring=D(days)) == []


@pytest.mark.parametrize(
    ("today", "before", "fires"),
    [
        ("500", "500", True),
        ("500", "499.99", False),
        ("0", "1000", False),  # reached on another day, and told then
        ("500", "1000", False),
    ],
)
def test_a_monthly_target_is_told_on_the_day_it_is_reached(today: str, before: str, fires: bool) -> None:
    given = facts(
        closes=KNOWN,
        expenses=(),
        invoices=(
            invoice(TODAY, today),
            invoice(TODAY.replace(day=1), before),
            invoice(TODAY.replace(day=1) - timedelta(days=1), "70000"),
        ),
    )
    found = messages(given, monthly_revenue_target=D(1000))
    assert found == (["This month's revenue has reached its target: 1,000.00 USD of 1,000.00 USD."] if fires else [])


def test_rules_without_a_threshold_are_off() -> None:
    given = facts(
        closes=KNOWN,
        open_invoices=(open_invoice("9999999", bucket="90+"),),
        payments=(payment(TODAY, "-9999999", kind="refund"),),
        quotes=(structs.replace(quote("open"), expires_on=TODAY),),
        invoices=(invoice(TODAY, "9999999"), invoice(YESTERDAY, "9999999999")),
    )
    assert alerts_of(given) == ()


def failure(*, cleared_at: datetime | None = None) -> KnownAlert:
    """That the computation failed today."""
    return KnownAlert(
        alert_id="f", rule="computation_failing", subject="System", local_date=TODAY, level="warning", message="",
        metric="System", action_required=True, provisional=False, raised_at=clock(hour=9).as_of, cleared_at=cleared_at,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cleared_at", "now", "fires"),
    [
        (None, clock(hour=14), True),
        (clock(hour=13, minute=30).as_of, clock(hour=14), True),
        (clock(hour=13).as_of, clock(hour=14), False),
    ],
)
def test_a_recovered_computation_is_news_for_an_hour(cleared_at: datetime | None, now: Clock, fires: bool) -> None:
    found = alerts_of(facts(closes=KNOWN, at=now, alerts=(failure(cleared_at=cleared_at),)))
    assert [(alert.level, alert.metric) for alert in found] == ([("info", "System")] if fires else [])


def test_an_alert_that_is_known_keeps_the_moment_it_was_raised() -> None:
    (first,) = alerts_of(facts(closes=KNOWN, expenses=LOSS, at=clock(hour=9)))
    known = structs.replace(failure(), alert_id=first.id, rule="profit_floor", raised_at=clock(hour=9).as_of)
    (later,) = alerts_of(facts(closes=KNOWN, expenses=LOSS, at=clock(hour=22), alerts=(known,)))
    assert (later.id, later.timestamp) == (first.id, first.timestamp)


def test_alerts_carry_the_moment_the_database_was_read() -> None:
    (alert,) = alerts_of(facts(closes=KNOWN, expenses=LOSS))
    # 14:00 in New York, four hours behind UTC since the 8th
    assert alert.timestamp == "2026-03-11T18:00:00.000Z"
