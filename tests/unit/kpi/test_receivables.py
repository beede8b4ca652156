"""Pending, overdue, ageing, customer credit and DSO. SPEC 4."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given as holds_for
from hypothesis import strategies as st

from shared.snapshot import BUCKETS, OVERDUE, PENDING, Receivables, Unconverted
from tests.unit.kpi.given import TODAY, D, ago, close, computed, credit, facts, invoice, metric, open_invoice
from workers.facts import OpenInvoiceGroup, TenantFacts
from workers.kpi.money import Converter
from workers.kpi.receivables import receivables

EUR_TODAY = {("EUR", TODAY): D("1.10")}


def owed(given: TenantFacts) -> Receivables:
    return computed(given).overview.receivables


def test_pending_and_overdue_compare_with_the_close_of_yesterday() -> None:
    given = facts(
        open_invoices=(open_invoice("1", documents=4), open_invoice("1", bucket="31-60", documents=2)),
        closes=(close(ago(2), pending=90, overdue=90), close(pending=5, overdue=1), close(TODAY, pending=7, overdue=7)),
    )
    pending, overdue = metric(given, PENDING), metric(given, OVERDUE)
    assert (pending.value, pending.previous, pending.change, pending.change_percent) == (D(4), D(5), D(-1), D("-20.0"))
    assert (pending.trend, pending.good) == ("down", None)
    assert (overdue.value, overdue.previous, overdue.change, overdue.change_percent) == (D(2), D(1), D(1), D("100.0"))
    assert (overdue.trend, overdue.good) == ("up", False)


def test_without_a_close_of_yesterday_there_is_no_change() -> None:
    given = facts(open_invoices=(open_invoice("1"),), closes=(close(ago(2), pending=90),))
    found = metric(given, PENDING)
    assert (found.previous, found.change, found.trend) == (None, None, "stable")


def test_overdue_is_the_four_later_buckets() -> None:
    amounts = {"current": "16", "1-30": "1", "31-60": "2", "61-90": "4", "90+": "8"}
    groups = tuple(open_invoice(amount, bucket=bucket) for bucket, amount in amounts.items())  # type: ignore[arg-type]
    given = facts(open_invoices=groups)
    assert (metric(given, PENDING).value, metric(given, PENDING).amount) == (D(1), D(16))
    assert (metric(given, OVERDUE).value, metric(given, OVERDUE).amount) == (D(4), D(15))
    assert [(b.bucket, b.count, b.amount) for b in owed(given).ageing] == [(b, 1, D(amounts[b])) for b in BUCKETS]


groups = st.builds(
    OpenInvoiceGroup,
    bucket=st.sampled_from(BUCKETS),
    due_on=st.none(),
    currency=st.sampled_from(["USD", "EUR", "GBP"]),
    documents=st.integers(1, 5),
    anomalies=st.just(0),
    amount=st.decimals(min_value=0, max_value=10**9, places=2),
    own_base=st.none() | st.decimals(min_value=0, max_value=10**9, places=4),
)


@holds_for(st.lists(groups, max_size=12))
def test_the_buckets_sum_to_overdue_and_all_of_them_to_outstanding(found: list[OpenInvoiceGroup]) -> None:
    given = facts(open_invoices=tuple(found), rates=EUR_TODAY)
    now = receivables(given, Converter(base="USD", today=TODAY, rates=EUR_TODAY))
    late = [now.buckets[bucket] for bucket in BUCKETS if bucket != "current"]
    assert sum(bucket.documents for bucket in late) == now.overdue.documents
    assert sum((bucket.value or D(0)) for bucket in late) == (now.overdue.value or D(0))
    assert (now.overdue.value or D(0)) + (now.pending.value or D(0)) == (now.open.value or D(0))
    assert (now.overdue.value is None) == (now.overdue.documents > 0 and not now.overdue.convertible)


def test_a_tenant_whose_receivables_are_all_foreign_without_a_rate() -> None:
    given = facts(
        open_invoices=(
            open_invoice("100", currency="EUR"),
            open_invoice("88000", currency="JPY", bucket="1-30"),
        )
    )
    pending, overdue = metric(given, PENDING), metric(given, OVERDUE)
    assert (pending.value, pending.amount) == (D(1), None)
    assert pending.unconverted == (Unconverted(currency="EUR", amount=D("100.00"), documents=1),)
    assert (overdue.value, overdue.amount) == (D(1), None)
    assert overdue.unconverted == (Unconverted(currency="JPY", amount=D("88000"), documents=1),)
    found = owed(given)
    assert (found.outstanding, found.dso_days) == (None, None)
    assert [bucket.amount for bucket in found.ageing] == [None, None, D(0), D(0), D(0)]
    assert [(c.currency, str(c.amount)) for c in found.by_currency] == [("EUR", "100.00"), ("JPY", "88000")]
    assert [left.currency for left in found.unconverted] == ["EUR", "JPY"]


def test_a_tenant_whose_receivables_are_all_foreign_with_rates() -> None:
    """EUR at today's 1.10 though the documents say 1.00; GBP at the documents' own, for want of a rate of today."""
    given = facts(
        open_invoices=(
            open_invoice("100", currency="EUR", own_base="100"),
            open_invoice("100", currency="GBP", own_base="130"),
        ),
        rates=EUR_TODAY,
    )
    assert metric(given, PENDING).amount == D("240.00")
    assert metric(given, PENDING).unconverted == ()


def test_without_open_invoices_nothing_is_owed() -> None:
    found = owed(facts())
    assert (found.outstanding, found.customer_credit, found.dso_days, found.by_currency) == (D(0), D(0), None, ())
    assert metric(facts(), PENDING).amount == 0


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ((("300", "USD"), ("-100", "USD")), D(200)),
        ((("50", "USD"), ("-100", "USD")), D(0)),  # never below 0
        ((("100", "EUR"), ("-10", "USD")), D(100)),  # 110 − 10
        ((("100", "GBP"),), None),
        ((("100", "GBP"), ("5", "USD")), D(5)),
        ((), D(0)),
    ],
)
def test_customer_credit_is_what_pays_for_nothing_yet(
    amounts: tuple[tuple[str, str], ...], expected: Decimal | None
) -> None:
    given = facts(credits=tuple(credit(amount, currency=currency) for amount, currency in amounts), rates=EUR_TODAY)
    assert owed(given).customer_credit == expected


@pytest.mark.parametrize(
    ("outstanding", "billed", "expected"),
    [
        # 500 / (1000 − 100) × 90 = 50
        (
            "500",
            (invoice(TODAY, "900", gross="1000"), invoice(ago(89), "-90", gross="-100", kind="credit_note")),
            D(50),
        ),
        # what was billed 90 days ago is out
        ("500", (invoice(ago(90), "1000"),), None),
        ("0", (invoice(TODAY, "1000"),), D(0)),
        ("500", (invoice(TODAY, "100"), invoice(TODAY, "-100", kind="credit_note")), None),
        ("500", (invoice(TODAY, "100", currency="GBP"),), None),
        ("500", (), None),
    ],
)
def test_dso_is_outstanding_over_what_was_billed_in_90_days(
    outstanding: str, billed: tuple[object, ...], expected: Decimal | None
) -> None:
    given = facts(open_invoices=(open_invoice(outstanding),), invoices=billed)
    assert owed(given).dso_days == expected


def test_terms_are_the_mean_of_the_invoices_with_a_due_date() -> None:
    given = facts(
        invoices=(
            invoice(TODAY, "1", terms_days=60, documents=2),
            invoice(ago(3), "1", terms_days=15),
            invoice(ago(4), "1"),
            invoice(ago(90), "1", terms_days=1000),
        )
    )
    assert receivables(given, Converter(base="USD", today=TODAY)).terms_days == D(25)
