"""Numbers that surprised somebody: what the facts of such books come to. docs/numbers.md tells the same in words."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.snapshot import CollectionsValue, ScoreComponent, Unconverted
from tests.unit.kpi.given import (
    TODAY,
    YESTERDAY,
    D,
    ago,
    alerts_of,
    allocation,
    client,
    clock,
    close,
    computed,
    credit,
    expense,
    facts,
    incoming,
    invoice,
    metric,
    open_invoice,
    payable,
    payment,
    quote,
    settlement,
    template,
)
from workers.facts import TenantFacts


def ends(given: TenantFacts) -> Decimal:
    return computed(given).overview.cash_forecast[-1].cumulative


def part(given: TenantFacts, name: str) -> ScoreComponent:
    return next(one for one in computed(given).snapshot.score.components if one.name == name)


def test_balances_without_allocations() -> None:
    """24 invoices and 24 payments of 1000, balances 0, not one allocation: which money paid for what is not known."""
    given = facts(
        links_known=False,
        invoices=(invoice(ago(30), "2000", documents=2, terms_days=14),),
        payments=(payment(ago(20), "2000", documents=2),),
    )
    found = computed(given).overview.receivables
    # Not 0 and not 24,000; nothing is open: 0 / 2000 × 90.
    assert (found.customer_credit, found.outstanding, found.dso_days) == (None, D("0.00"), D("0.0"))


def test_buckets_that_did_not_sum() -> None:
    """EUR 33.35 at 1.10 is 36.685, booked as 36.69, three times: 110.07, not 110.06 (3 × 36.685 = 110.055)."""
    given = facts(
        open_invoices=tuple(
            open_invoice("33.35", currency="EUR", base="36.69", bucket=bucket) for bucket in ("1-30", "31-60", "61-90")
        ),
        # 10.0050 and 5.0040, each booked by itself
        invoices=(invoice(TODAY, "10.01"), invoice(ago(35), "33.35", no_rate="EUR")),
        expenses=(expense(TODAY, "5.00"),),
    )
    found = computed(given).overview.receivables
    assert [bucket.amount for bucket in found.ageing[1:4]] == [D("36.69")] * 3
    assert metric(given, "Overdue Invoices").amount == found.outstanding == D("110.07")
    assert metric(given, "Daily Profit").value == D("5.01")
    # EUR of 35 days ago has no rate: no days, and the currency is named.
    assert found.dso_days is None
    assert "EUR" in part(given, "collections").reason


def test_an_overpayment_on_cash_basis() -> None:
    """150 paid for an invoice of 100: 100 is revenue, 50 is the client's."""
    given = facts(
        basis="cash",
        allocations=(allocation(TODAY, "100"),),
        settlements=(settlement(TODAY),),
        credits=(credit("50"),),
    )
    found = computed(given).overview.receivables
    assert metric(given, "Daily Revenue").value == D("100.00")
    assert (found.customer_credit, found.outstanding) == (D("50.00"), D("0.00"))


def test_dso_and_an_invoice_dated_ahead() -> None:
    """9000 billed and paid, 90000 posted with a date in 7 days: 0 / 9000 × 90."""
    given = facts(
        invoices=(invoice(ago(20), "9000", terms_days=30),), open_invoices=(open_invoice("90000", issued=False),)
    )
    found = computed(given).overview.receivables
    assert (found.dso_days, found.outstanding) == (D("0.0"), D("90000.00"))


def test_payment_dates_that_are_known() -> None:
    """Out 700 on +5 and 500 on +10, as ordered; in 900 on +7, as the cheque says: 900 − 1200."""
    given = facts(
        open_invoices=(open_invoice("900", bucket="1-30"),),
        incoming=(incoming(TODAY + timedelta(days=7), "900"),),
        payables=(payable(TODAY + timedelta(days=5), "700"), payable(TODAY + timedelta(days=10), "500")),
    )
    assert ends(given) == D("-300.00")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # Missed three days ago; the next is beyond the 30 days.
        (facts(recurring=(template(ago(3), "2000", interval_count=3),)), "-2000.00"),
        # The bill of the 16th is in the books, and stands for the template's 16th.
        (
            facts(
                payables=(payable(ago(-5), "1000"),),
                recurring=(template(ago(-5), "1000", newest_document=ago(-5)),),
            ),
            "-1000.00",
        ),
    ],
)
def test_templates_that_were_missed_or_have_their_bill(given: TenantFacts, expected: str) -> None:
    assert ends(given) == D(expected)


def silent() -> TenantFacts:
    """No GBP rate anywhere; USD beside it."""
    return facts(
        closes=(close(),),
        links_known=False,
        quotes=(quote("open", amount="100"), quote("open", amount="5000", no_rate="GBP", since=TODAY)),
        payments=(payment(ago(4), "50"), payment(ago(4), "500", no_rate="GBP")),
        invoices=(invoice(ago(10), "1000", terms_days=30), invoice(ago(10), "9000", no_rate="GBP", terms_days=15)),
        clients=(client("client-a", "1000"), client("client-b", "9000", no_rate="GBP")),
        open_invoices=(open_invoice("9000", currency="GBP", client_id="client-b"),),
        incoming=(incoming(TODAY + timedelta(days=5), "9000", no_rate="GBP"),),
        expenses=(expense(ago(9), "1", category="Postage"), expense(ago(9), "5000", category="Rent", no_rate="GBP")),
        payables=(payable(TODAY, "1"), payable(TODAY + timedelta(days=6), "5000", no_rate="GBP")),
        recurring=(template(TODAY + timedelta(days=8), "700", currency="GBP", base=None),),
    )


def left(amount: str, documents: int = 1) -> tuple[Unconverted, ...]:
    return (Unconverted(currency="GBP", amount=D(amount), documents=documents),)


def test_nothing_is_left_out_without_a_word() -> None:
    overview = computed(silent()).overview
    days = overview.cash_forecast
    assert (days[0].outflow, days[5].inflow, days[6].outflow, days[8].outflow) == (D("1.00"), None, None, None)
    assert (overview.receivables.outstanding, overview.receivables.customer_credit) == (None, None)
    assert overview.receivables.dso_days is None
    assert (overview.quotes.open_count, overview.quotes.open_amount) == (2, D("100.00"))
    assert [(row.client_id, row.revenue, row.share) for row in overview.top_clients] == [
        ("client-a", D("1000.00"), None),
        ("client-b", None, None),
    ]
    assert [(row.category, row.amount, row.share) for row in overview.expense_categories] == [
        ("Postage", D("1.00"), None),
        ("Rent", None, None),
    ]
    missing = overview.unconverted
    assert (missing.receivables, missing.quotes, missing.top_clients) == (left("9000"), left("5000"), left("9000"))
    assert missing.expense_categories == left("5000")
    # In 9000, out 5000 and 700.
    assert missing.cash_forecast == left("3300", 3)
    # Revenue 9000, expenses 5000, cash 500.
    assert missing.series == left("14500", 3)


def test_ratios_without_a_rate_are_null_and_name_the_currency() -> None:
    given = silent()
    for name in ("profitability", "growth", "cash", "collections"):
        found = part(given, name)
        assert found.points is None
        assert "GBP" in found.reason
    assert part(given, "collections").value == CollectionsValue(overdue_share=None, days_over_terms=None)
    (issue,) = computed(given).snapshot.data_issues
    assert (issue.currency, issue.since) == ("GBP", ago(10))


def test_one_payment_for_invoices_in_two_currencies() -> None:
    """USD 1000: 400 for one invoice, EUR 100 × 1.10 = 110 for another; 490 is left."""
    assert computed(facts(credits=(credit("490"),))).overview.receivables.customer_credit == D("490.00")
    # Without a rate for EUR nobody knows what is left of the USD.
    unknown = computed(facts(credits=(credit("600", lacks="EUR", since=YESTERDAY),)))
    assert unknown.overview.receivables.customer_credit is None
    assert [(one.currency, one.amount) for one in unknown.overview.unconverted.customer_credit] == [("USD", D(600))]
    assert [(issue.currency, issue.since) for issue in unknown.snapshot.data_issues] == [("EUR", YESTERDAY)]


def test_percent_of_nothing_that_is_shown() -> None:
    """Yesterday 110.00 (110.004) less a credit note of 110.00: shown as 0.00, so a rise of 1000 has no percentage."""
    given = facts(
        closes=(close(),),
        at=clock(hour=21),
        invoices=(
            invoice(YESTERDAY, "110.00"),
            invoice(YESTERDAY, "-110.00", kind="credit_note"),
            invoice(TODAY, "1000"),
            *(invoice(ago(2 + number % 26), "100") for number in range(60)),
        ),
    )
    found = metric(given, "Daily Revenue")
    assert (found.value, found.previous, found.change, found.change_percent) == (D(1000), D("0.00"), D(1000), None)
    (alert,) = alerts_of(given)
    assert alert.message == "Today's revenue is 1,000.00 USD, up from 0.00 USD yesterday."


def test_a_refund_of_a_credit_note_is_not_an_unallocated_refund() -> None:
    """client-a has 100 unspent; client-b was paid its credit note of 50 out, and has nothing left."""
    assert computed(facts(credits=(credit("100", client_id="a"),))).overview.receivables.customer_credit == D("100.00")


def test_a_refund_of_a_credit_note_on_cash_basis() -> None:
    """Yesterday 220 × 200/220 = 200; today −55 × 50/55 = −50: −250 of 200."""
    given = facts(
        basis="cash",
        closes=(close(),),
        at=clock(hour=21),
        allocations=(allocation(YESTERDAY, "200"), allocation(TODAY, "-50")),
        settlements=(settlement(YESTERDAY), settlement(TODAY)),
    )
    found = metric(given, "Daily Revenue")
    assert (found.value, found.previous, found.change_percent) == (D("-50.00"), D("200.00"), D("-125.0"))
    assert metric(given, "Daily Profit").value == D("-50.00")
    assert [alert.level for alert in alerts_of(given)] == ["critical"]


@pytest.mark.parametrize("currency", ["USD", "JPY"])
def test_a_residue_below_the_smallest_coin_is_not_open(currency: str) -> None:
    """100 − 3 × 33.3333 = 0.0001 and JPY 1000.4 − 1000 = 0.4 read 0: no group of open invoices, no share of nothing."""
    given = facts(currency=currency, closes=(close(),))
    overdue = metric(given, "Overdue Invoices")
    assert (overdue.value, overdue.amount, alerts_of(given)) == (D(0), D(0), ())
    assert part(given, "collections").value == CollectionsValue(overdue_share=None, days_over_terms=None)


def test_a_credit_note_that_is_not_used_yet() -> None:
    """1000 open, a credit note of 400 beside it: (1000 − 400) / (1000 − 400) × 90; what is owed stays gross."""
    given = facts(
        invoices=(invoice(ago(10), "1000", terms_days=30), invoice(ago(2), "-400", kind="credit_note")),
        open_invoices=(open_invoice("1000"),),
        credits=(credit("400", kind="credit_note"),),
    )
    found = computed(given).overview.receivables
    assert (found.outstanding, found.customer_credit, found.dso_days) == (D("1000.00"), D("400.00"), D("90.0"))
