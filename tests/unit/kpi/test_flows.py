"""Revenue, expenses, profit and cash flow: what counts when, and what is left out. SPEC 4."""

from __future__ import annotations

from datetime import date

import pytest

from shared.snapshot import CASH_FLOW, EXPENSES, PROFIT, REVENUE, Unconverted
from tests.unit.kpi.given import (
    TODAY,
    YESTERDAY,
    D,
    ago,
    allocation,
    clock,
    computed,
    expense,
    facts,
    invoice,
    metric,
    payment,
    settlement,
)


def left_out(currency: str, amount: str, documents: int = 1) -> Unconverted:
    return Unconverted(currency=currency, amount=D(amount), documents=documents)


def test_a_day_without_documents_is_zero() -> None:
    for name in (REVENUE, EXPENSES, PROFIT, CASH_FLOW):
        found = metric(facts(), name)
        assert (found.value, found.previous, found.change, found.change_percent) == (D(0), D(0), D(0), None)
        assert found.trend == "stable"


def test_a_day_of_which_nothing_can_be_converted_is_null_and_listed() -> None:
    given = facts(invoices=(invoice(TODAY, "500", gross="600", no_rate="EUR", documents=2),))
    found = metric(given, REVENUE)
    assert (found.value, found.change, found.change_percent, found.trend) == (None, None, None, "stable")
    assert found.previous == 0
    # As revenue would count it: without tax.
    assert found.unconverted == (left_out("EUR", "500.00", 2),)


def test_what_can_be_converted_counts_beside_what_cannot() -> None:
    given = facts(
        invoices=(
            invoice(TODAY, "100"),
            invoice(TODAY, "10000", no_rate="JPY"),
            invoice(TODAY, "-2000", no_rate="JPY", kind="credit_note"),
            invoice(TODAY, "50", no_rate="EUR"),
            invoice(YESTERDAY, "70", no_rate="EUR"),
        )
    )
    found = metric(given, REVENUE)
    assert found.value == D("100.00")
    # Today's only; each in its own minor unit; by currency code.
    assert found.unconverted == (left_out("EUR", "50.00"), left_out("JPY", "8000", 2))
    assert found.previous is None
    assert found.change is None


def test_a_change_is_null_when_yesterday_cannot_be_computed() -> None:
    given = facts(invoices=(invoice(TODAY, "100"), invoice(YESTERDAY, "70", no_rate="EUR")))
    found = metric(given, REVENUE)
    assert (found.value, found.previous, found.change, found.trend, found.good) == (D(100), None, None, "stable", None)


def test_credit_notes_count_on_their_own_day_with_a_minus() -> None:
    given = facts(invoices=(invoice(YESTERDAY, "800"), invoice(TODAY, "-100", kind="credit_note")))
    found = metric(given, REVENUE)
    assert (found.value, found.previous, found.change) == (D(-100), D(800), D(-900))
    assert found.change_percent == D("-112.5")


@pytest.mark.parametrize(
    ("revenue_lacks", "expense_lacks", "profit"),
    [(None, None, D("60.00")), ("EUR", None, None), (None, "EUR", None)],
)
def test_profit_is_null_as_soon_as_one_side_is(
    revenue_lacks: str | None, expense_lacks: str | None, profit: object
) -> None:
    given = facts(
        invoices=(invoice(TODAY, "100", no_rate=revenue_lacks),),
        expenses=(expense(TODAY, "40", no_rate=expense_lacks),),
    )
    assert metric(given, PROFIT).value == profit


def test_profit_merges_what_both_sides_left_out_expenses_with_a_minus() -> None:
    given = facts(
        invoices=(invoice(TODAY, "100"), invoice(TODAY, "70", no_rate="EUR")),
        expenses=(
            expense(TODAY, "40"),
            expense(TODAY, "90", no_rate="EUR", documents=2),
            expense(TODAY, "5", no_rate="GBP"),
        ),
    )
    assert metric(given, PROFIT).unconverted == (left_out("EUR", "-20.00", 3), left_out("GBP", "-5.00"))


def test_a_vendor_credit_lowers_the_expenses() -> None:
    given = facts(expenses=(expense(TODAY, "100"), expense(TODAY, "-30")))
    assert metric(given, EXPENSES).value == D("70.00")


def test_expenses_count_when_paid_on_cash_basis_and_cash_flow_takes_their_tax_along() -> None:
    paid = (expense(TODAY, "300", gross="330"),)
    given = facts(basis="cash", expenses=(expense(YESTERDAY, "300", gross="330"),), paid_expenses=paid)
    assert metric(given, EXPENSES).value == D("300.00")
    assert metric(given, EXPENSES).previous == 0
    assert metric(given, CASH_FLOW).value == D("-330.00")


def test_cash_flow_leaves_out_with_the_sign_that_it_would_have_counted() -> None:
    given = facts(
        payments=(payment(TODAY, "50", no_rate="EUR"), payment(TODAY, "-20", kind="refund", no_rate="GBP")),
        paid_expenses=(expense(TODAY, "10", gross="12", no_rate="EUR"),),
    )
    found = metric(given, CASH_FLOW)
    assert found.value is None
    assert found.unconverted == (left_out("EUR", "38.00", 2), left_out("GBP", "-20.00"))


@pytest.mark.parametrize("day", [TODAY, YESTERDAY])
def test_there_is_no_percentage_while_a_document_of_either_day_has_no_rate(day: date) -> None:
    given = facts(invoices=(invoice(TODAY, "150"), invoice(YESTERDAY, "100"), invoice(day, "7", no_rate="EUR")))
    found = metric(given, REVENUE)
    assert (found.value, found.previous, found.change, found.change_percent) == (D(150), D(100), D(50), None)


class TestRevenueOnCashBasis:
    """Amounts come from allocations, documents are payments and refunds."""

    def test_a_payment_without_allocation_is_worth_nothing_but_counts(self) -> None:
        found = metric(facts(basis="cash", settlements=(settlement(TODAY),)), REVENUE)
        assert (found.value, found.unconverted) == (D(0), ())
        # n = 1: 1/11
        assert found.confidence_factors.sample == D("0.0909")
        assert found.confidence_factors.fx == 1

    def test_payments_are_counted_not_allocations(self) -> None:
        """Two payments, three allocations in EUR: two documents left out."""
        given = facts(
            basis="cash",
            allocations=(allocation(TODAY, "90", no_rate="EUR"),),
            settlements=(settlement(TODAY, "EUR", documents=2),),
        )
        found = metric(given, REVENUE)
        assert found.value is None
        assert found.unconverted == (left_out("EUR", "90.00", 2),)

    def test_a_payment_that_lacks_a_rate_in_two_currencies_stands_under_both(self) -> None:
        given = facts(
            basis="cash",
            allocations=(allocation(TODAY, "90", no_rate="EUR"), allocation(TODAY, "10", no_rate="GBP")),
            settlements=(settlement(TODAY, "EUR", "GBP"),),
        )
        assert metric(given, REVENUE).unconverted == (left_out("EUR", "90.00"), left_out("GBP", "10.00"))

    def test_a_payment_is_convertible_only_with_all_its_allocations(self) -> None:
        """Of two payments one lacks a rate for a part: its other part counts, the fx factor is 1/2."""
        given = facts(
            basis="cash",
            allocations=(allocation(TODAY, "139"), allocation(TODAY, "20", no_rate="EUR")),
            settlements=(settlement(TODAY), settlement(TODAY, "EUR")),
        )
        found = metric(given, REVENUE)
        assert found.value == D("139.00")
        assert found.confidence_factors.fx == D("0.5")
        assert found.unconverted == (left_out("EUR", "20.00"),)

    def test_what_converts_of_a_payment_is_shown_even_on_a_day_with_no_other(self) -> None:
        given = facts(
            basis="cash",
            allocations=(allocation(TODAY, "100"), allocation(TODAY, "20", no_rate="EUR")),
            settlements=(settlement(TODAY, "EUR"),),
        )
        found = metric(given, REVENUE)
        assert (found.value, found.confidence_factors.fx) == (D("100.00"), D(0))

    def test_it_is_null_on_every_day_where_nobody_can_say_which_money_paid_for_what(self) -> None:
        given = facts(
            basis="cash", links_known=False, settlements=(settlement(TODAY),), paid_expenses=(expense(TODAY, "9"),)
        )
        for name in (REVENUE, PROFIT):
            found = metric(given, name)
            assert (found.value, found.previous, found.change, found.change_percent) == (None, None, None, None)
            assert (found.trend, found.reason, found.unconverted) == ("stable", "allocations_unknown", ())
        assert metric(given, EXPENSES).value == D(9)
        assert {day.revenue for day in computed(given).overview.series} == {None}
        accrual = facts(links_known=False, invoices=(invoice(TODAY, "5"),))
        assert metric(accrual, REVENUE).value == D(5)

    def test_a_refund_lowers_revenue(self) -> None:
        given = facts(
            basis="cash",
            allocations=(allocation(TODAY, "100"), allocation(TODAY, "-30")),
            settlements=(settlement(TODAY, documents=2),),
        )
        assert metric(given, REVENUE).value == D("70.00")


@pytest.mark.parametrize(
    ("currency", "net", "expected"),
    [("JPY", "88000", "88000"), ("KWD", "1.234", "1.234"), ("KWD", "1", "1.000"), ("USD", "1.5", "1.50")],
)
def test_flows_have_the_decimals_of_their_currency(currency: str, net: str, expected: str) -> None:
    given = facts(currency=currency, invoices=(invoice(TODAY, net),))
    assert str(metric(given, REVENUE).value) == expected


def test_the_series_shows_the_same_days() -> None:
    given = facts(
        invoices=(
            invoice(TODAY, "100"),
            invoice(ago(29), "7"),
            invoice(ago(30), "9"),
            invoice(ago(3), "1", no_rate="EUR"),
        ),
        expenses=(expense(ago(29), "2"),),
        payments=(payment(ago(29), "5"),),
        at=clock(hour=1),
    )
    series = computed(given).overview.series
    assert [day.date for day in series] == [ago(number) for number in range(29, -1, -1)]
    assert (series[0].revenue, series[0].expenses, series[0].cash) == (D(7), D(2), D(5))
    assert series[-1].revenue == metric(given, REVENUE).value
    assert series[-4].revenue is None
    assert series[1].revenue == 0
