"""Rounding and exactness. SPEC 4, rule 5."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given as holds_for
from hypothesis import strategies as st

from tests.unit.kpi.given import D
from workers.kpi.money import (
    exact,
    finite,
    formatted,
    formatted_percent,
    minor_unit,
    money,
    money_or_none,
    rounded,
    trim,
)

amounts = st.decimals(min_value=-(10**15), max_value=10**15, places=4)
NOT_NUMBERS = ["NaN", "sNaN", "Infinity", "-Infinity"]


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("0.005", "USD", "0.01"),
        ("0.0049", "USD", "0.00"),
        ("-0.005", "USD", "-0.01"),
        ("-0.0049", "USD", "0.00"),
        ("2.5", "JPY", "3"),
        ("-2.5", "JPY", "-3"),
        ("88000", "JPY", "88000"),
        ("1.2345", "KWD", "1.235"),
        ("1.23445", "CLF", "1.2345"),
        ("7", "USD", "7.00"),
        # A code that ISO 4217 does not list is given two decimals.
        ("1.005", "QQQ", "1.01"),
    ],
)
def test_money_is_rounded_half_up_to_the_minor_unit(amount: str, currency: str, expected: str) -> None:
    assert str(money(D(amount), currency)) == expected


def test_a_half_cent_that_a_division_missed_by_a_hair_is_still_a_half_cent() -> None:
    assert money(D("0.00499999999999999999999999"), "USD") == D("0.01")
    assert money(sum([D(1) / 3] * 3, D(0)) / 200, "USD") == D("0.01")
    assert trim(D("1E-21")) == 0


def test_nothing_is_ever_minus_zero() -> None:
    assert str(rounded(D("-0.0001"), 2)) == "0.00"


def test_what_cannot_be_computed_stays_so() -> None:
    assert money_or_none(None, "USD") is None


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_nan_and_infinity_are_refused_where_money_is_made(text: str) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: money(D(text), "USD"),
        lambda: trim(D(text)),
        lambda: finite(D(text)),
    ]
    for refusing in attempts:
        with pytest.raises(ValueError, match="not an amount"):
            refusing()


@holds_for(amounts, st.sampled_from(["JPY", "USD", "KWD"]))
def test_rounding_moves_an_amount_by_half_a_unit_at_most_and_mirrors(amount: Decimal, currency: str) -> None:
    result = money(amount, currency)
    assert abs(result - amount) <= minor_unit(currency) / 2
    assert money(-amount, currency) == -result
    assert money(result, currency) == result


@holds_for(st.lists(amounts, max_size=20))
def test_sums_lose_no_digit(found: list[Decimal]) -> None:
    with exact():
        assert sum(found, D(0)).scaleb(4) == sum(int(amount.scaleb(4)) for amount in found)


def test_amounts_read_well_in_a_sentence() -> None:
    assert formatted(D("-1234.5"), "USD") == "-1,234.50 USD"
    assert formatted(D("88000"), "JPY") == "88,000 JPY"
    assert formatted(D("1E+6"), "KWD") == "1,000,000.000 KWD"
    assert formatted_percent(D("0.17951")) == "18.0 %"
