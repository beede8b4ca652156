"""Trend, change in percent and whether it is good news. SPEC 4, Trend."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given as holds_for
from hypothesis import strategies as st

from shared.snapshot import ACTIVITY, CASH_FLOW, CONVERSION, EXPENSES, OVERDUE, PENDING, PROFIT, REVENUE, Trend
from tests.unit.kpi.given import (
    TODAY,
    YESTERDAY,
    D,
    ago,
    clock,
    close,
    expense,
    facts,
    invoice,
    metric,
    open_invoice,
    payment,
    quote,
)
from workers.facts import ClientActivity, TenantFacts
from workers.kpi.trend import change_percent, direction, flow_floor, is_good, typical

amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=4)


def sold(today: str, yesterday: str = "0", *, usual: str = "0", currency: str = "USD", hour: int = 20) -> TenantFacts:
    """Revenue of today, of yesterday and of each of the 27 days before."""
    days = [
        invoice(TODAY, today),
        invoice(YESTERDAY, yesterday),
        *(invoice(ago(number), usual) for number in range(2, 29)),
    ]
    return facts(invoices=tuple(days), currency=currency, at=clock(hour=hour))


@pytest.mark.parametrize(
    ("value", "previous", "floor", "expected"),
    [
        ("105", "100", "0", "stable"),  # 5 is not more than 5 % of 100
        ("105.01", "100", "0", "up"),
        ("95", "100", "0", "stable"),
        ("94.99", "100", "0", "down"),
        ("-95", "-100", "0", "stable"),  # the band is of |previous|
        ("-94.99", "-100", "0", "up"),
        ("110", "100", "10", "stable"),  # the floor is wider than 5 %
        ("110.01", "100", "10", "up"),
        ("0", "0", "0", "stable"),
        ("1", "0", "0", "up"),
    ],
)
def test_a_change_must_be_more_than_the_band(value: str, previous: str, floor: str, expected: Trend) -> None:
    assert direction(D(value), D(previous), floor=D(floor)) == expected


@pytest.mark.parametrize(("value", "previous"), [(None, D(1)), (D(1), None), (None, None)])
def test_what_cannot_be_compared_is_stable(value: Decimal | None, previous: Decimal | None) -> None:
    assert direction(value, previous) == "stable"
    assert change_percent(value, previous) is None


@pytest.mark.parametrize(
    ("value", "previous", "expected"),
    [
        ("1450", "2000", "-27.5"),
        ("150", "100", "50.0"),
        ("-50", "-100", "50.0"),  # of |previous|: less of a loss is better
        ("0", "-100", "100.0"),
        ("2", "3", "-33.3"),
        ("100.05", "100", "0.1"),  # 0.05 rounds up
        ("5", "0", None),
        ("0", "0", None),
    ],
)
def test_change_percent_has_one_decimal_and_is_null_against_zero(
    value: str, previous: str, expected: str | None
) -> None:
    found = change_percent(D(value), D(previous))
    assert (None if found is None else str(found)) == expected


@holds_for(amounts, amounts, amounts)
def test_trend_is_symmetric_up_mirrored_is_down(value: Decimal, previous: Decimal, floor: Decimal) -> None:
    mirror: dict[Trend, Trend] = {"up": "down", "down": "up", "stable": "stable"}
    assert direction(-value, -previous, floor=abs(floor)) == mirror[direction(value, previous, floor=abs(floor))]


@holds_for(amounts, amounts, amounts, amounts)
def test_a_wider_floor_only_calms(value: Decimal, previous: Decimal, one: Decimal, other: Decimal) -> None:
    narrow, wide = sorted((abs(one), abs(other)))
    if direction(value, previous, floor=narrow) == "stable":
        assert direction(value, previous, floor=wide) == "stable"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["5", "-7", "6"], "6"),  # of absolute values
        (["1", "2", "3", "10"], "2.5"),
        ([None, None, "8"], "0"),  # a day that cannot be computed counts 0
        (["0"] * 20 + ["100"] * 8, "0"),  # quiet days count as 0
    ],
)
def test_typical_is_the_median_of_what_days_are_like(values: list[str | None], expected: str) -> None:
    assert typical([None if value is None else D(value) for value in values]) == D(expected)


def test_the_band_is_never_narrower_than_one_minor_unit() -> None:
    assert flow_floor([D(0)] * 28, D("0.01")) == D("0.01")
    assert flow_floor([D(500)] * 28, D("0.01")) == D(50)


@pytest.mark.parametrize(
    ("currency", "today", "yesterday", "expected"),
    [
        ("USD", "0.01", "0", "stable"),
        ("USD", "0.02", "0", "up"),
        ("JPY", "1", "0", "stable"),
        ("JPY", "2", "0", "up"),
        ("KWD", "0.002", "0", "up"),
    ],
)
def test_one_minor_unit_is_no_trend(currency: str, today: str, yesterday: str, expected: Trend) -> None:
    assert metric(sold(today, yesterday, currency=currency), REVENUE).trend == expected


@pytest.mark.parametrize(
    ("today", "yesterday", "usual", "expected"),
    [
        # typical 1000, a tenth of it 100: wider than 5 % of 500
        ("600", "500", "1000", "stable"),
        ("600.01", "500", "1000", "up"),
        ("399.99", "500", "1000", "down"),
        # 5 % of 4000 is 200: wider than 100
        ("4200", "4000", "1000", "stable"),
        ("4200.01", "4000", "1000", "up"),
    ],
)
def test_the_band_of_a_flow_knows_the_typical_day(today: str, yesterday: str, usual: str, expected: Trend) -> None:
    assert metric(sold(today, yesterday, usual=usual), REVENUE).trend == expected


def test_typical_looks_at_28_complete_days_and_not_at_today() -> None:
    """14 of the 28 days at 1000, 14 at 0: the median is 500, the band 50. The 29th day and today do not count."""
    days = [invoice(ago(number), "1000") for number in range(2, 16)] + [invoice(ago(29), "999999")]
    for today, expected in (("50", "stable"), ("50.01", "up")):
        assert metric(facts(invoices=(*days, invoice(TODAY, today))), REVENUE).trend == expected


@pytest.mark.parametrize(
    ("hour", "trend", "reason"),
    [(0, "stable", "partial_day"), (17, "stable", "partial_day"), (18, "down", None), (23, "down", None)],
)
def test_down_is_held_back_until_three_quarters_of_the_day(hour: int, trend: Trend, reason: str | None) -> None:
    found = metric(sold("100", "1000", hour=hour), REVENUE)
    assert found.trend == trend
    assert (found.reason or None) == reason
    assert found.good is (False if trend == "down" else None)


def test_every_flow_waits_with_down_but_up_is_said_at_any_hour() -> None:
    given = facts(
        at=clock(hour=1),
        invoices=(invoice(YESTERDAY, "500"),),
        expenses=(expense(YESTERDAY, "100"),),
        payments=(payment(YESTERDAY, "80"),),
    )
    for name in (REVENUE, EXPENSES, PROFIT, CASH_FLOW):
        assert (metric(given, name).trend, metric(given, name).reason) == ("stable", "partial_day")
    assert metric(sold("100", "50", hour=0), REVENUE).trend == "up"


def test_three_quarters_of_a_25_hour_day_are_18_hours_45() -> None:
    """1 November 2026 in New York: 17:44 on the clock is 18 h 44 after midnight."""
    today = ago(-235)
    assert today.isoformat() == "2026-11-01"
    days = (invoice(ago(1, today=today), "100"),)
    before = facts(at=clock(today, hour=17, minute=44), invoices=days)
    after = facts(at=clock(today, hour=17, minute=45), invoices=days)
    assert (metric(before, REVENUE).trend, metric(after, REVENUE).trend) == ("stable", "down")


def test_counts_fall_at_any_hour() -> None:
    given = facts(at=clock(hour=0), closes=(close(pending=3, overdue=3),), open_invoices=(open_invoice("1"),))
    assert metric(given, PENDING).trend == "down"
    assert metric(given, OVERDUE).trend == "down"


@pytest.mark.parametrize(
    ("name", "up", "down"),
    [
        (REVENUE, True, False),
        (PROFIT, True, False),
        (CASH_FLOW, True, False),
        (CONVERSION, True, False),
        (ACTIVITY, True, False),
        (EXPENSES, False, True),
        (OVERDUE, False, True),
        (PENDING, None, None),
    ],
)
def test_whether_a_direction_is_good_news_depends_on_the_metric(name: str, up: bool | None, down: bool | None) -> None:
    assert is_good(name, "up") is up
    assert is_good(name, "down") is down
    assert is_good(name, "stable") is None


def test_counts_and_ratios_have_only_the_five_percent() -> None:
    given = facts(
        activity=ClientActivity(current=21, previous=20),
        quotes=(quote("won", documents=21), quote("lost", documents=19), quote("won", window="previous"),
                quote("lost", window="previous")),
        closes=(close(overdue=0),),
        open_invoices=(open_invoice("1", bucket="1-30"),),
    )  # fmt: skip
    # 21 against 20 is 5 %, not more; .525 against .5 likewise; 1 against 0 is more than nothing.
    assert metric(given, ACTIVITY).trend == "stable"
    assert metric(given, CONVERSION).trend == "stable"
    assert metric(given, OVERDUE).trend == "up"
    assert metric(given, OVERDUE).change_percent is None
