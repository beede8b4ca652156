"""Pending, overdue, ageing, customer credit and DSO. SPEC 4."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.snapshot import BUCKETS, OVERDUE, PENDING, Receivables, Unconverted
from tests.unit.kpi.given import TODAY, D, ago, close, computed, credit, facts, invoice, metric, open_invoice
from workers.facts import CreditGroup, InvoiceGroup, OpenInvoiceGroup, TenantFacts
from workers.kpi.dso import dso


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
    given = facts(
        open_invoices=(
            open_invoice("100", currency="EUR", base="110"),
            open_invoice("100", currency="GBP", base="130"),
        )
    )
    assert metric(given, PENDING).amount == D("240.00")
    assert metric(given, PENDING).unconverted == ()


def test_without_open_invoices_nothing_is_owed() -> None:
    found = owed(facts())
    assert (found.outstanding, found.customer_credit, found.dso_days, found.by_currency) == (D(0), D(0), None, ())
    assert metric(facts(), PENDING).amount == 0


@pytest.mark.parametrize(
    ("credits", "expected"),
    [
        ((credit("300"), credit("-100", kind="refund")), D(200)),
        ((credit("50"), credit("-100", kind="refund")), D(0)),  # never below 0
        # for one client: what another one was refunded too much is not paid from this one's money
        ((credit("100", client_id="a"), credit("-50", kind="refund", client_id="b")), D(100)),
        ((credit("70", client_id=None), credit("-20", kind="refund", client_id=None)), D(50)),
        ((credit("400", kind="credit_note"), credit("5")), D(405)),
        ((credit("100", currency="EUR", base="110"), credit("-10", kind="refund")), D(100)),
        ((credit("100", currency="GBP"),), None),
        ((credit("100", currency="GBP"), credit("5")), D(5)),
        ((), D(0)),
    ],
)
def test_customer_credit_is_what_each_client_may_still_spend(
    credits: tuple[CreditGroup, ...], expected: Decimal | None
) -> None:
    assert owed(facts(credits=credits)).customer_credit == expected


def test_customer_credit_is_unknown_without_links_and_names_what_has_no_rate_with_them() -> None:
    credits = (credit("100", currency="GBP", documents=2), credit("5"))
    known, unknown = computed(facts(credits=credits)), computed(facts(credits=credits, links_known=False))
    assert known.overview.unconverted.customer_credit == (Unconverted(currency="GBP", amount=D("100.00"), documents=2),)
    assert unknown.overview.receivables.customer_credit is None
    assert unknown.overview.unconverted.customer_credit == ()
    assert unknown.snapshot.data_issues == ()


@pytest.mark.parametrize(
    ("unpaid", "billed", "expected"),
    [
        # 500 / (1000 − 100) × 90 = 50
        (
            (open_invoice("500"),),
            (invoice(TODAY, "900", gross="1000"), invoice(ago(89), "-90", gross="-100", kind="credit_note")),
            D(50),
        ),
        # what was billed 90 days ago is out
        ((open_invoice("500"),), (invoice(ago(90), "1000"),), None),
        ((), (invoice(TODAY, "1000"),), D(0)),
        # an invoice dated ahead is in neither
        ((open_invoice("500", issued=False),), (invoice(TODAY, "1000"),), D(0)),
        ((open_invoice("500"),), (invoice(TODAY, "100"), invoice(TODAY, "-100", kind="credit_note")), None),
        ((open_invoice("500"),), (), None),
        # a document without a rate on either side
        ((open_invoice("500"),), (invoice(TODAY, "100"), invoice(TODAY, "100", no_rate="GBP")), None),
        ((open_invoice("500"), open_invoice("1", currency="GBP")), (invoice(TODAY, "100"),), None),
        ((open_invoice("500"), open_invoice("1", currency="GBP", issued=False)), (invoice(TODAY, "1000"),), D(45)),
    ],
)
def test_dso_is_what_is_unpaid_over_what_was_billed_in_90_days(
    unpaid: tuple[OpenInvoiceGroup, ...], billed: tuple[InvoiceGroup, ...], expected: Decimal | None
) -> None:
    assert owed(facts(open_invoices=unpaid, invoices=billed)).dso_days == expected


@pytest.mark.parametrize(
    ("unused", "expected"),
    [
        (credit("400", kind="credit_note"), D(90)),  # (1000 − 400) / (1000 − 400)
        (credit("1500", kind="credit_note"), D(0)),  # never below 0
        (credit("400", kind="credit_note", currency="EUR"), None),
        (credit("400"), D(150)),  # money is no credit note: 1000 / 600
    ],
)
def test_dso_counts_unused_credit_notes_on_both_sides(unused: CreditGroup, expected: Decimal | None) -> None:
    billed = (invoice(TODAY, "1000"), invoice(ago(2), "-400", kind="credit_note"))
    given = facts(open_invoices=(open_invoice("1000"),), invoices=billed, credits=(unused,))
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
    assert dso(given).terms_days == D(25)


def test_debtors_are_ranked_by_overdue_then_by_outstanding() -> None:
    given = facts(
        open_invoices=(
            open_invoice("900", client_id="patient", oldest_due=ago(-5)),
            open_invoice("10", client_id="late", bucket="1-30", oldest_due=ago(3)),
            open_invoice("20", client_id="late", oldest_due=ago(-9), documents=2),
            open_invoice("40", client_id="later", bucket="90+", oldest_due=ago(100)),
            open_invoice("900", client_id=None),
            open_invoice("5000", client_id="foreign", bucket="90+", currency="JPY", oldest_due=ago(200)),
            open_invoice("5", client_id="mixed", bucket="90+", currency="JPY", oldest_due=ago(200)),
            open_invoice("7", client_id="mixed"),
        )
    )
    assert [(d.client_id, d.outstanding, d.overdue, d.oldest_due, d.invoices) for d in owed(given).debtors] == [
        ("later", D(40), D(40), ago(100), 1),
        ("late", D(30), D(10), ago(3), 3),
        ("patient", D(900), D(0), ago(-5), 1),
        (None, D(900), D(0), None, 1),
        # of what is overdue nothing converts
        ("mixed", D(7), None, ago(200), 2),
        ("foreign", None, None, ago(200), 1),
    ]


def test_ten_debtors_are_listed_and_all_of_them_are_in_what_is_left_out() -> None:
    groups = [open_invoice("1", client_id=f"c{number:02}") for number in range(12)]
    given = facts(open_invoices=(*groups, open_invoice("9", client_id="z", currency="JPY")))
    assert [debtor.client_id for debtor in owed(given).debtors] == [f"c{number:02}" for number in range(10)]
    expected = (Unconverted(currency="JPY", amount=D(9), documents=1),)
    assert owed(given).unconverted == computed(given).overview.unconverted.receivables == expected
