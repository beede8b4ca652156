"""Rounding, exactness and conversion. SPEC 4, rules 4 and 5."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given as holds_for
from hypothesis import strategies as st

from tests.unit.kpi.given import TODAY, YESTERDAY, D
from workers.kpi.money import (
    Converter,
    exact,
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


def test_an_exact_product_of_amount_and_rate_is_never_tipped_over_the_half() -> None:
    assert money(D("0.0100") * D("0.499999999999"), "USD") == D("0.00")


def test_nothing_is_ever_minus_zero() -> None:
    assert str(rounded(D("-0.0001"), 2)) == "0.00"


def test_what_cannot_be_computed_stays_so() -> None:
    assert money_or_none(None, "USD") is None


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_nan_and_infinity_are_refused_where_money_is_made(text: str) -> None:
    converter = Converter(base="USD", today=TODAY, rates={("EUR", TODAY): D(1)})
    attempts: list[Callable[[], object]] = [
        lambda: money(D(text), "USD"),
        lambda: trim(D(text)),
        lambda: converter.flow(D(text), "USD", TODAY),
        lambda: converter.flow(D(text), "EUR", TODAY),
        lambda: converter.flow(D(text), "GBP", TODAY),
        lambda: converter.balance(D(text), "USD"),
        lambda: converter.balance(D(1), "GBP", D(text)),
        lambda: Converter(base="USD", today=TODAY, rates={("EUR", TODAY): D(text)}).balance(D(1), "EUR"),
    ]
    for refusing in attempts:
        with pytest.raises(ValueError, match="not an amount"):
            refusing()


@pytest.mark.parametrize("rate", ["0", "-1.1"])
def test_a_rate_that_is_not_above_zero_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="not an exchange rate"):
        Converter(base="USD", today=TODAY, rates={("EUR", TODAY): D(rate)}).flow(D(1), "EUR", TODAY)


@holds_for(amounts, st.sampled_from(["JPY", "USD", "KWD"]))
def test_rounding_moves_an_amount_by_half_a_unit_at_most_and_mirrors(amount: Decimal, currency: str) -> None:
    result = money(amount, currency)
    assert abs(result - amount) <= minor_unit(currency) / 2
    assert money(-amount, currency) == -result
    assert money(result, currency) == result


@holds_for(
    st.lists(st.tuples(amounts, st.decimals(min_value="0.000000000001", max_value=10**12, places=12)), max_size=20)
)
def test_sums_of_products_lose_no_digit(pairs: list[tuple[Decimal, Decimal]]) -> None:
    """numeric(20,4) × numeric(24,12): the same sum in integers of 1e-16."""
    with exact():
        total = sum((amount * rate for amount, rate in pairs), D(0))
        units = total.scaleb(16)
    assert units == sum(int(amount.scaleb(4)) * int(rate.scaleb(12)) for amount, rate in pairs)


def test_a_flow_takes_the_rate_of_its_date_and_never_assumes_one() -> None:
    converter = Converter(base="USD", today=TODAY, rates={("EUR", YESTERDAY): D("1.08"), ("USD", TODAY): D(7)})
    assert converter.flow(D(100), "EUR", YESTERDAY) == D("108.00")
    assert converter.flow(D(100), "EUR", TODAY) is None
    assert converter.flow(D(100), "EUR", None) is None
    # The base currency itself is 1, whatever a table says.
    assert converter.flow(D(100), "USD", TODAY) == D(100)
    assert converter.balance(D(100), "USD", D(3)) == D(100)


@pytest.mark.parametrize(
    ("rates", "own_base", "expected"),
    [
        ({("EUR", TODAY): D("1.10")}, D(108), D(110)),  # today's rate before the documents' own
        ({("EUR", YESTERDAY): D("1.08")}, D(105), D(105)),  # a rate of another day is no rate of today
        ({}, None, None),
    ],
)
def test_a_balance_takes_todays_rate_then_its_own(
    rates: dict[tuple[str, object], Decimal], own_base: Decimal | None, expected: Decimal | None
) -> None:
    converter = Converter(base="USD", today=TODAY, rates=rates)  # type: ignore[arg-type]
    assert converter.balance(D(100), "EUR", own_base) == expected


def test_amounts_read_well_in_a_sentence() -> None:
    assert formatted(D("-1234.5"), "USD") == "-1,234.50 USD"
    assert formatted(D("88000"), "JPY") == "88,000 JPY"
    assert formatted(D("1E+6"), "KWD") == "1,000,000.000 KWD"
    assert formatted_percent(D("0.17951")) == "18.0 %"
