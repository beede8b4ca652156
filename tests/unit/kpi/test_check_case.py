"""The check case of SPEC 4, from literal facts."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.snapshot import Basis, CollectionsValue, CurrencyAmount, Unconverted
from tests.unit.kpi.given import TODAY, check_case, computed, metric

D = Decimal
GBP_100 = Unconverted(currency="GBP", amount=D("100.00"), documents=1)
GBP_MINUS_100 = Unconverted(currency="GBP", amount=D("-100.00"), documents=1)


@pytest.mark.parametrize(
    ("basis", "name", "value", "previous", "change", "percent", "unconverted"),
    [
        # 1000 + 500 × 1.10 − 100; yesterday 800 + 1200
        ("accrual", "Daily Revenue", "1450.00", "2000.00", "-550.00", "-27.5", ()),
        # 300 × 800/880 = 272.73, 2200 × 2000/2200 = 2000; yesterday 1000. 1272.73 / 1000
        ("cash", "Daily Revenue", "2272.73", "1000.00", "1272.73", "127.3", ()),
        # no percentage while GBP 100 of today have no rate
        ("accrual", "Daily Expenses", "900.00", "200.00", "700.00", None, (GBP_100,)),
        ("cash", "Daily Expenses", "600.00", "200.00", "400.00", "200.0", ()),
        # 1450 − 900; 2000 − 200
        ("accrual", "Daily Profit", "550.00", "1800.00", "-1250.00", None, (GBP_MINUS_100,)),
        ("cash", "Daily Profit", "1672.73", "800.00", "872.73", "109.1", ()),
        # 300 + 2500 − 100 − 600; 1000 − 200
        ("accrual", "Cash Flow", "2100.00", "800.00", "1300.00", "162.5", ()),
        ("cash", "Cash Flow", "2100.00", "800.00", "1300.00", "162.5", ()),
    ],
)
def test_flows_of_the_check_case(
    basis: Basis,
    name: str,
    value: str,
    previous: str,
    change: str,
    percent: str | None,
    unconverted: tuple[Unconverted, ...],
) -> None:
    found = metric(check_case(basis), name)
    assert (found.value, found.previous, found.change) == (D(value), D(previous), D(change))
    assert found.change_percent == (None if percent is None else D(percent))
    assert found.unconverted == unconverted
    assert found.unit == "money"


@pytest.mark.parametrize("basis", ["accrual", "cash"])
def test_balances_of_the_check_case(basis: Basis) -> None:
    pending, overdue = metric(check_case(basis), "Pending Invoices"), metric(check_case(basis), "Overdue Invoices")
    # 1100 + 600 × 1.10 + 400 + 200
    assert (pending.value, pending.amount) == (D(4), D("2360.00"))
    assert (overdue.value, overdue.amount) == (D(1), D("470.00"))
    assert pending.previous is pending.change is pending.change_percent is None


def test_receivables_of_the_check_case() -> None:
    found = computed(check_case()).overview.receivables
    assert found.outstanding == D("2830.00")
    assert found.customer_credit == D("200.00")
    # 2830 / (1100 + 660 − 110 + 2080 + 400 + 2200 = 6330) × 90 = 40.2370
    assert found.dso_days == D("40.2")
    assert [(bucket.bucket, bucket.count, bucket.amount) for bucket in found.ageing] == [
        ("current", 4, D("2360.00")),
        ("1-30", 1, D("470.00")),
        ("31-60", 0, D("0.00")),
        ("61-90", 0, D("0.00")),
        ("90+", 0, D("0.00")),
    ]
    assert found.by_currency == (
        CurrencyAmount(currency="EUR", amount=D("600.00")),
        CurrencyAmount(currency="USD", amount=D("2170.00")),
    )
    (debtor,) = found.debtors
    assert (debtor.outstanding, debtor.overdue, debtor.invoices) == (D("2830.00"), D("470.00"), 5)


def test_what_lacks_a_rate_is_named_once_with_its_first_day() -> None:
    (issue,) = computed(check_case()).snapshot.data_issues
    assert (issue.code, issue.currency, issue.since) == ("missing_rate", "GBP", TODAY)
    assert issue.detail == "No exchange rate from GBP to USD since 2026-03-11"


def test_the_forecast_of_the_check_case() -> None:
    """In 400 today, 660 on the 14th day, 200 on the last; out 330 today beside GBP 100: 400 − 330 + 660 + 200 = 930."""
    overview = computed(check_case()).overview
    days = overview.cash_forecast
    assert (days[0].inflow, days[0].outflow, days[14].inflow, days[29].inflow) == (D(400), D(330), D(660), D(200))
    assert (overview.opening_balance, days[29].cumulative) == (None, D("930.00"))
    assert overview.unconverted.cash_forecast == (GBP_MINUS_100,)


def test_the_flows_are_stable_or_up_at_two_in_the_afternoon() -> None:
    """14 of 24 hours are 58 %: less than yesterday is not called down yet."""
    revenue = metric(check_case(), "Daily Revenue")
    assert (revenue.trend, revenue.reason, revenue.good) == ("stable", "partial_day", None)
    expenses = metric(check_case(), "Daily Expenses")
    assert (expenses.trend, expenses.good) == ("up", False)


def test_confidence_of_the_check_case() -> None:
    """Expenses: 4 documents, 1 of them without a rate, none odd, at 14/24 of the day: 4/14 × 7/12 × 3/4 = 0.125."""
    found = metric(check_case(), "Daily Expenses")
    factors = found.confidence_factors
    assert (factors.sample, factors.day, factors.fx, factors.quality) == (D("0.2857"), D("0.5833"), D("0.7500"), D(1))
    assert found.confidence == D("0.1250")


def test_score_of_the_check_case() -> None:
    """Over the 30 days to the 10th: revenue 2400 after 2000, expenses 200, cash 1000 in and 200 out.

    profitability 2200/2400 → 100 · growth 400/2000 = 20 % → 100 · cash 800/1000 → 100 · overdue share 470/2830 = .16608 →
    66.7845; DSO 40.2370, terms 123/6 = 20.5, over 19.7370 → 56.1400; collections .6 × 66.7845 + .4 × 56.1400 = 62.5267.
    (25 + 15 + 20 + 15.6317) / .85 = 88.9784.
    """
    given = check_case()
    score = computed(given).snapshot.score
    assert [component.points for component in score.components] == [D(100), D(100), D(100), D("62.53"), None, None]
    assert score.components[3].value == CollectionsValue(overdue_share=D("0.1661"), days_over_terms=D("19.7"))
    assert (score.value, score.coverage) == (D("88.98"), D("0.85"))
    assert computed(given).snapshot.performance_score == score.value
