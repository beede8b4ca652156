"""Confidence and its factors: which documents each metric looks at. SPEC 4, Confidence."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given as holds_for
from hypothesis import strategies as st

from shared.snapshot import ACTIVITY, CASH_FLOW, CONVERSION, EXPENSES, METRIC_NAMES, OVERDUE, PENDING, PROFIT, REVENUE
from tests.unit.kpi.given import (
    TODAY,
    D,
    ago,
    clock,
    expense,
    facts,
    invoice,
    metric,
    open_invoice,
    payment,
    quote,
    settlement,
)
from workers.kpi.confidence import confidence
from workers.kpi.totals import Total


def test_it_is_the_product_of_four_factors() -> None:
    """30/40 × 0.5 × 24/30 × 27/30 = 0.27."""
    trust, factors = confidence(Total(documents=30, convertible=24, anomalies=3), D("0.5"))
    assert (factors.sample, factors.day, factors.fx, factors.quality) == (D("0.75"), D("0.5"), D("0.8"), D("0.9"))
    assert trust == D("0.27")


def test_the_product_is_of_the_unrounded_factors() -> None:
    """1/11 × 1/3 × 1 × 1 = 0.030303: of rounded factors it would be 0.0909 × 0.3333 = 0.030297."""
    trust, factors = confidence(Total(documents=1, convertible=1), D(1) / 3)
    assert (factors.sample, factors.day) == (D("0.0909"), D("0.3333"))
    assert trust == D("0.0303")


def test_without_documents_it_is_zero() -> None:
    trust, factors = confidence(Total(), D("0.5"))
    assert trust == 0
    assert (factors.sample, factors.day, factors.fx, factors.quality) == (D(0), D("0.5"), D(1), D(1))


@holds_for(st.integers(0, 10**6), st.data())
def test_it_stays_between_nothing_and_everything(documents: int, data: st.DataObject) -> None:
    part = st.integers(0, documents)
    looked_at = Total(documents=documents, convertible=data.draw(part), anomalies=data.draw(part))
    trust, factors = confidence(looked_at, data.draw(st.decimals(0, 1, places=6)))
    for share in (trust, factors.sample, factors.day, factors.fx, factors.quality):
        assert 0 <= share <= 1
        assert share == round(share, 4)


def sample(documents: int) -> Decimal:
    return round(D(documents) / (documents + 10), 4)


def test_revenue_looks_at_28_days_including_today() -> None:
    given = facts(
        invoices=(
            invoice(TODAY, "1", documents=2, anomalies=1),
            invoice(ago(27), "-1", documents=3, kind="credit_note"),
            invoice(ago(28), "1", documents=90, anomalies=90),
            invoice(ago(5), "1", no_rate="EUR"),
        )
    )
    factors = metric(given, REVENUE).confidence_factors
    assert (factors.sample, factors.fx, factors.quality) == (sample(6), D("0.8333"), D("0.8333"))


def test_on_cash_basis_revenue_looks_at_payments_and_expenses_at_paid_ones() -> None:
    given = facts(
        basis="cash",
        invoices=(invoice(TODAY, "1", documents=50, anomalies=50),),
        settlements=(settlement(TODAY, documents=4), settlement(ago(27)), settlement(ago(28), documents=9)),
        expenses=(expense(TODAY, "1", documents=50),),
        paid_expenses=(expense(ago(27), "1", documents=2, anomalies=1), expense(ago(28), "1")),
    )
    assert metric(given, REVENUE).confidence_factors.sample == sample(5)
    assert metric(given, REVENUE).confidence_factors.quality == 1
    assert metric(given, EXPENSES).confidence_factors.sample == sample(2)
    assert metric(given, EXPENSES).confidence_factors.quality == D("0.5")
    assert metric(given, PROFIT).confidence_factors.sample == sample(7)


def test_profit_looks_at_both_sides_together() -> None:
    given = facts(
        invoices=(invoice(TODAY, "1", documents=3),),
        expenses=(expense(ago(3), "1", no_rate="EUR", anomalies=1),),
    )
    factors = metric(given, PROFIT).confidence_factors
    assert (factors.sample, factors.fx, factors.quality) == (sample(4), D("0.75"), D("0.75"))


def test_cash_flow_looks_at_payments_refunds_and_paid_expenses() -> None:
    given = facts(
        payments=(payment(TODAY, "1", documents=3), payment(ago(27), "-1", kind="refund", no_rate="EUR")),
        paid_expenses=(expense(ago(4), "1", documents=4, anomalies=2), expense(ago(28), "1")),
        expenses=(expense(TODAY, "1", documents=70),),
    )
    factors = metric(given, CASH_FLOW).confidence_factors
    assert (factors.sample, factors.fx, factors.quality) == (sample(8), D("0.875"), D("0.75"))


def test_pending_and_overdue_look_at_all_open_invoices() -> None:
    given = facts(
        open_invoices=(
            open_invoice("1", documents=6, anomalies=2),
            open_invoice("1", bucket="90+", documents=2, currency="EUR"),
        )
    )
    for name in (PENDING, OVERDUE):
        factors = metric(given, name).confidence_factors
        assert (factors.sample, factors.day, factors.fx, factors.quality) == (sample(8), D(1), D("0.75"), D("0.75"))


def test_an_open_invoice_with_a_rate_is_convertible() -> None:
    given = facts(open_invoices=(open_invoice("1", currency="EUR", base="1.1"),))
    assert metric(given, PENDING).confidence_factors.fx == 1


def test_conversion_looks_at_the_quotes_decided_in_its_90_days() -> None:
    given = facts(
        quotes=(
            quote("won", documents=3),
            quote("lost", window="current", documents=3, anomalies=3, no_rate="EUR"),
            quote("won", window="previous", documents=40),
            quote("open", documents=40),
        )
    )
    factors = metric(given, CONVERSION).confidence_factors
    assert (factors.sample, factors.day, factors.fx, factors.quality) == (sample(6), D(1), D("0.5"), D("0.5"))


def test_activity_looks_at_what_makes_a_client_active() -> None:
    """Invoices, payments and won quotes of 30 days; no credit note, refund, lost or older quote."""
    given = facts(
        invoices=(
            invoice(ago(29), "1", documents=2, anomalies=1),
            invoice(ago(30), "1", documents=50),
            invoice(TODAY, "-1", documents=50, kind="credit_note"),
        ),
        payments=(payment(TODAY, "5", no_rate="EUR"), payment(TODAY, "-5", kind="refund"), payment(ago(30), "5")),
        quotes=(quote("won"), quote("lost"), quote("won", window="current"), quote("won", window="previous")),
    )
    found = metric(given, ACTIVITY)
    assert found.confidence_factors.sample == sample(4)
    assert found.confidence_factors.day == 1
    assert (found.confidence_factors.fx, found.confidence_factors.quality) == (D("0.75"), D("0.75"))
    assert [(left.currency, left.amount, left.documents) for left in found.unconverted] == [("EUR", D("5.00"), 1)]


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_the_day_counts_for_flows_only(name: str) -> None:
    expected = D("0.25") if name in (REVENUE, EXPENSES, PROFIT, CASH_FLOW) else D(1)
    assert metric(facts(at=clock(hour=6)), name).confidence_factors.day == expected
