"""The rows of the demo before they reach a database: faithful to the extracts, and made up the same way every time."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest

from demo.businesses import DEMO, GENERATED, Business
from demo.extract import numbered
from demo.generated import generated_books
from demo.quickbooks import quickbooks_books
from demo.rates import daily_rates, rate
from demo.rows import Books, Expense, Invoice, Quote, Tenant, balances, newest_day
from demo.xero import xero_books
from shared.currency import exponent

TODAY = date(2026, 3, 9)
BUSY = [business for business in GENERATED if business.clients]


@pytest.fixture(scope="module")
def xero() -> Books:
    return xero_books(TODAY)


@pytest.fixture(scope="module")
def quickbooks() -> Books:
    return quickbooks_books(TODAY)


@pytest.mark.parametrize("today", [date(2024, 2, 29), TODAY, date(2031, 12, 31)])
def test_extracts_end_today_and_keep_their_distances(today: date) -> None:
    for books_of in (xero_books, quickbooks_books):
        then, now = books_of(TODAY), books_of(today)
        assert newest_day(now) == today
        moved = {b.issue_date - a.issue_date for a, b in zip(then.invoices, now.invoices, strict=True)}
        assert moved == {today - TODAY}


def test_xero_documents_are_all_there(xero: Books) -> None:
    assert Counter(i.status for i in xero.invoices) == {"posted": 116, "void": 1}
    assert Counter(e.status for e in xero.expenses) == {"posted": 476, "void": 8}
    assert len(xero.payments) == len(xero.allocations) == 103
    assert len(xero.clients) == 18
    assert xero.clients[6].name == "Client 07"


def test_xero_balances_are_what_the_payments_leave(xero: Books) -> None:
    left = balances(xero, TODAY)
    assert {i.invoice_id: i.balance for i in xero.invoices if i.status == "posted"} == left
    assert sum(balance > 0 for balance in left.values()) == 13


def test_xero_rates_are_turned_into_base_units_per_document_unit(xero: Books) -> None:
    # The extract says 0.770885 US dollars for one Canadian dollar.
    documents: list[Invoice | Expense] = [*xero.invoices, *xero.expenses]
    assert Decimal("1.297210349144") in {row.base_rate for row in documents}
    assert all(row.base_rate is None for row in xero.expenses if row.currency == "CAD")
    assert {row.currency for row in xero.rates} == {"USD", "GBP"}


def test_xero_total_that_does_not_add_up_is_kept(xero: Books) -> None:
    assert [(e.total, e.tax) for e in xero.expenses if e.total == Decimal("71.43")] == [
        (Decimal("71.43"), Decimal("8.22"))
    ]
    assert xero.oddities["total differs from sub_total + total_tax"] == 1


def test_quickbooks_documents_become_what_the_contract_knows(quickbooks: Books) -> None:
    assert Counter((i.kind, i.invoice_id.rpartition("-")[0]) for i in quickbooks.invoices) == {
        ("invoice", "invoice"): 5,
        ("credit_note", "credit-memo"): 12,
        ("invoice", "sales-receipt"): 1,
    }
    assert Counter(p.kind for p in quickbooks.payments) == {"payment": 13, "refund": 2}
    assert Counter(q.status for q in quickbooks.quotes) == {"accepted": 10}
    assert Counter(e.expense_id.rpartition("-")[0] for e in quickbooks.expenses) == {
        "bill": 9,
        "purchase": 12,
        "vendor-credit": 4,
    }
    assert all((e.total < 0) == e.expense_id.startswith("vendor-credit") for e in quickbooks.expenses)


def test_quickbooks_amounts_missing_in_the_header_come_from_the_lines(quickbooks: Books) -> None:
    refunds = {p.payment_id: p.amount for p in quickbooks.payments if p.kind == "refund"}
    assert refunds == {"refund-receipt-298": Decimal(100), "refund-receipt-3001": Decimal(250)}


def test_quickbooks_bill_is_paid_on_the_day_that_settles_it(quickbooks: Books) -> None:
    paid = {e.expense_id: e.paid_on for e in quickbooks.expenses if e.paid_on and e.expense_id.startswith("bill-")}
    assert set(paid) == {"bill-111", "bill-112", "bill-5002"}
    assert paid["bill-5002"] == TODAY


def test_quickbooks_payment_lowers_a_balance_that_is_older(quickbooks: Books) -> None:
    assert {i.invoice_id: i.balance for i in quickbooks.invoices if i.balance is not None} == {
        "invoice-40113": Decimal("55650.00"),
        "invoice-40114": Decimal("62507.50"),
        "invoice-40115": Decimal("1015.05"),
        "invoice-40116": Decimal("504.00"),
        "invoice-50001": 0,
        "sales-receipt-999": 0,
    }


def test_quickbooks_counts_what_could_not_be_kept(quickbooks: Books) -> None:
    assert {what: times for what, times in quickbooks.oddities.items() if times} == {
        "deleted records skipped": 34,
        "documents without any amount skipped": 1,
        "amounts summed from lines": 12,
        "dated by the day of entry": 11,
        "payments without a line": 11,
        "payment lines without their payment": 11,
        "balances older than a payment": 1,
        "balances below what the payments leave": 1,
        "bill payment lines without their bill": 9,
        "customers known from documents only": 31,
    }


@pytest.mark.parametrize("business", BUSY, ids=lambda business: business.tenant_id)
def test_made_up_books_are_the_same_every_time(business: Business) -> None:
    assert generated_books(business, TODAY) == generated_books(business, TODAY)


@pytest.mark.parametrize("business", BUSY, ids=lambda business: business.tenant_id)
def test_something_of_every_kind_happens_today_whatever_day_it_is(business: Business) -> None:
    for ahead in range(40):
        today = TODAY + timedelta(ahead)
        books = generated_books(business, today)
        assert any(i.issue_date == today and i.status == "posted" for i in books.invoices)
        assert any(p.paid_on == today and p.status == "succeeded" for p in books.payments)
        assert any(e.expense_date == today and e.status == "posted" for e in books.expenses)
        assert {i.issue_date for i in books.invoices if i.issue_date > today} <= {today + timedelta(2)}
        assert all(p.paid_on <= today for p in books.payments)
        assert {i.currency for i in books.invoices if i.balance} == {business.currency, *dict(business.foreign)}


@pytest.mark.parametrize("business", BUSY, ids=lambda business: business.tenant_id)
def test_made_up_amounts_are_money_that_exists(business: Business) -> None:
    books = generated_books(business, TODAY)
    documents: list[Invoice | Expense | Quote] = [*books.invoices, *books.expenses, *books.quotes]
    for row in documents:
        assert row.total == round(row.total, exponent(row.currency))
    for payment in books.payments:
        assert payment.amount == round(payment.amount, exponent(payment.currency))


def test_liveliest_tenant_sells_most_days_and_has_overdue_invoices_of_every_age() -> None:
    books = generated_books(DEMO, TODAY)
    sold = {i.issue_date for i in books.invoices if i.status == "posted"}
    assert sum(TODAY - timedelta(age) in sold for age in range(30)) >= 22
    late = [(TODAY - i.due_date).days for i in books.invoices if i.balance and i.due_date and i.due_date < TODAY]
    assert sorted(late) == [3, 8, 17, 26, 41, 55, 72, 104]
    assert 500 <= books.documents <= 900


def test_a_business_without_clients_has_nothing_at_all() -> None:
    empty = next(business for business in GENERATED if not business.clients)
    assert list(generated_books(empty, TODAY).rows()) == [
        Tenant(tenant_id="empty", name="Brand New Business", timezone="Europe/London", base_currency="GBP")
    ]


def test_rates_stay_near_the_usual_and_rest_at_weekends() -> None:
    days = [row.rate_date for row in daily_rates([("EUR", "USD")], TODAY, TODAY + timedelta(13))]
    assert len(days) == 10
    assert all(Decimal("1.05") < rate("EUR", "USD", TODAY + timedelta(n)) < Decimal("1.13") for n in range(0, 400, 7))
    assert rate("USD", "USD", TODAY) == 1


def test_names_are_numbered_by_place() -> None:
    assert numbered("Client", ["10", "9", "9", "x"]) == {"9": "Client 1", "x": "Client 2", "10": "Client 3"}
