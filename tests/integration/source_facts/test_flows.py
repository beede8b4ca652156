"""Flows: invoices, money and expenses by day, and revenue on cash basis."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import Engine

from tests.integration.source_facts.loading import TODAY, Db, ago, load, load_all
from tests.rows import add_tenant
from workers.facts import (
    ExpenseGroup,
    InvoiceGroup,
    PaymentGroup,
    SettlementGroup,
)


def test_invoices_are_summed_by_day_and_kind(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.invoice(TODAY, 110, tax=10)
    rows.invoice(TODAY, 55, tax=5, due_date=ago(-14))
    rows.invoice(TODAY, 20, due_date=None)
    rows.credit_note(TODAY, 11, tax=1)
    rows.invoice(TODAY, 999, status="draft")
    rows.invoice(TODAY, 999, status="void")
    invoices, notes = sorted(load(engine).invoices, key=lambda group: group.kind, reverse=True)
    assert invoices == InvoiceGroup(
        day=TODAY, kind="invoice", no_rate=None, documents=3, anomalies=1,
        net=Decimal(170), gross=Decimal(185), terms_days=44, with_terms=2,
    )  # fmt: skip
    assert notes == InvoiceGroup(
        day=TODAY, kind="credit_note", no_rate=None, documents=1, anomalies=0,
        net=Decimal(-10), gross=Decimal(-11), terms_days=0, with_terms=0,
    )  # fmt: skip


def test_each_document_is_converted_at_its_own_rate_else_at_that_of_its_day_and_rounded_by_itself(
    db: Db, engine: Engine
) -> None:
    rows = add_tenant(db)
    rows.invoice(TODAY, 100, currency="EUR", base_rate="1.25")
    rows.invoice(TODAY, 10, base_rate="7")  # the base currency itself is 1, whatever the document says
    rows.invoice(TODAY, "33.35", currency="EUR")  # 33.35 × 1.1 = 36.685
    rows.invoice(TODAY, "33.35", currency="EUR")
    rows.credit_note(TODAY, "33.35", currency="EUR")
    rows.invoice(TODAY, "100.125", currency="GBP")
    rows.invoice(TODAY, "100.6", currency="JPY", tax="0.2")
    rows.rate("EUR", ago(2), "1.1")
    assert {
        (group.kind, group.no_rate): (group.documents, group.gross, group.net) for group in load(engine).invoices
    } == {
        ("invoice", None): (4, Decimal("208.38"), Decimal("208.38")),
        ("credit_note", None): (1, Decimal("-36.69"), Decimal("-36.69")),
        ("invoice", "GBP"): (1, Decimal("100.13"), Decimal("100.13")),
        ("invoice", "JPY"): (1, Decimal(101), Decimal(100)),
    }


@pytest.mark.parametrize(("base", "shown"), [("JPY", "2"), ("USD", "1.50"), ("KWD", "1.505")])
def test_the_base_currency_says_how_far_to_round(db: Db, engine: Engine, base: str, shown: str) -> None:
    rows = add_tenant(db, base_currency=base)
    rows.invoice(TODAY, "1.5046", tax=0)
    rows.expense(TODAY, "1.5046", tax=0)
    rows.payment(TODAY, "1.5046")
    facts = load(engine)
    found = (facts.invoices[0].net, facts.expenses[0].net, facts.payments[0].amount, facts.clients[0].net)
    assert set(found) == {Decimal(shown)}


def test_only_the_trailing_ninety_days_of_invoices_are_read(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    for days in (-1, 0, 89, 90):
        rows.invoice(ago(days), 1, balance=0)
    assert sorted(group.day for group in load(engine).invoices) == [ago(89), TODAY]


@pytest.mark.parametrize("basis", ["accrual", "cash"])
def test_only_the_trailing_sixty_days_and_today_of_money_and_expenses_are_read(
    db: Db, engine: Engine, basis: str
) -> None:
    rows = add_tenant(db, basis=basis)
    invoice = rows.invoice(ago(300), 100)
    for days in (-1, 0, 60, 61):
        rows.payment(ago(days), 1, on={invoice: 1})
        rows.expense(ago(days), 1)
        rows.expense(ago(100), 1, paid_on=ago(days))
    facts, recent = load(engine), [ago(60), TODAY]
    for groups in (facts.payments, facts.expenses, facts.paid_expenses):
        assert sorted(group.day for group in groups) == recent
    on_cash = recent if basis == "cash" else []
    assert sorted(group.day for group in facts.allocations) == on_cash
    assert sorted(group.day for group in facts.settlements) == on_cash


def test_a_document_counts_once_as_an_anomaly(db: Db, engine: Engine) -> None:
    # (total, tax, has a due date) → anomalies as an invoice, as an expense
    cases: dict[tuple[int, int | None, bool], tuple[int, int]] = {
        (100, 10, True): (0, 0),
        (100, None, True): (1, 1),
        (100, 10, False): (1, 0),
        (10, 11, True): (1, 1),
        (10, -11, True): (1, 1),
        (10, None, False): (1, 1),  # one document, however much is wrong with it
        (10, 10, True): (0, 0),
    }
    for case in cases:
        total, tax, due = case
        rows = add_tenant(db, str(case))
        rows.invoice(TODAY, total, tax=tax, due_date=ago(-5) if due else None)
        rows.expense(TODAY, -total, tax=tax, paid_on=TODAY)
    found = load_all(engine, map(str, cases))
    for case, (odd_invoices, odd_expenses) in cases.items():
        facts = found[str(case)]
        assert [group.anomalies for group in facts.invoices] == [odd_invoices], case
        assert [group.anomalies for group in facts.open_invoices] == [odd_invoices], case
        assert [group.anomalies for group in (*facts.expenses, *facts.paid_expenses)] == [odd_expenses] * 2, case


def test_expenses_are_summed_by_category_and_a_vendor_credit_is_negative(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.expense(ago(1), 110, tax=10, category="rent", paid_on=TODAY)
    rows.expense(ago(1), -30, tax=None, category="rent")
    rows.expense(ago(1), 5, status="void")
    facts = load(engine)
    assert facts.expenses == (
        ExpenseGroup(
            day=ago(1), category="rent", no_rate=None, documents=2, anomalies=1, net=Decimal(70), gross=Decimal(80)
        ),
    )
    assert facts.paid_expenses == (
        ExpenseGroup(
            day=TODAY, category="rent", no_rate=None, documents=1, anomalies=0, net=Decimal(100), gross=Decimal(110)
        ),
    )


def test_refunds_are_negative_and_only_what_succeeded_is_money(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.payment(TODAY, 100)
    rows.payment(TODAY, 50)
    rows.refund(TODAY, 30)
    rows.payment(TODAY, 999, status="failed")
    rows.payment(TODAY, 999, status="pending")
    assert set(load(engine).payments) == {
        PaymentGroup(day=TODAY, kind="payment", no_rate=None, documents=2, amount=Decimal(150)),
        PaymentGroup(day=TODAY, kind="refund", no_rate=None, documents=1, amount=Decimal(-30)),
    }


def test_on_cash_basis_an_allocation_brings_its_share_without_tax_on_the_day_of_its_payment(
    db: Db, engine: Engine
) -> None:
    rows = add_tenant(db, basis="cash")
    invoice = rows.invoice(ago(40), 330, tax=30)
    free = rows.invoice(ago(40), 0)
    rows.payment(TODAY, 110, on={invoice: 110, free: 0})
    rows.refund(TODAY, 11, on={invoice: 11})
    rows.payment(TODAY, 100, on={invoice: 100}, status="failed")
    rows.payment(TODAY, 100, on={rows.invoice(TODAY, 100, status="void"): 100})
    rows.credit_note(TODAY, 33, on={invoice: 33})
    found = load(engine)
    # The credit note came with the payment and before the refund: 110 × 300/330 − 11 × 300/330 = 90; a total of 0 brings 0.
    assert [(g.day, g.no_rate, g.net) for g in found.allocations] == [(TODAY, None, Decimal(90))]
    # Two payments succeeded and one refund; the payment of a void invoice has nothing to convert.
    assert found.settlements == (SettlementGroup(day=TODAY, documents=3, lacking=()),)


def test_a_share_is_exact_far_beyond_any_minor_unit(db: Db, engine: Engine) -> None:
    rows = add_tenant(db, base_currency="KWD", basis="cash")
    invoice = rows.invoice(TODAY, "9999999999999999.0003", tax="1111111111111111.0001")
    rows.payment(TODAY, "3333333333333333.0001", on={invoice: "3333333333333333.0001"})
    (group,) = load(engine).allocations
    paid, total, tax = 33333333333333330001, 99999999999999990003, 11111111111111110001
    assert group.net == Decimal((paid * (total - tax) * 10**3 // 10**4 * 2 // total + 1) // 2) / 10**3


def test_each_allocation_is_rounded_by_itself_at_its_invoices_rate(db: Db, engine: Engine) -> None:
    rows = add_tenant(db, basis="cash")
    thirds = [rows.invoice(TODAY, 3, tax=2) for _ in range(3)]
    rows.payment(TODAY, "0.06", on=dict.fromkeys(thirds, "0.02"))  # 0.02 × 1/3 = 0.0067 each
    rows.payment(TODAY, 50, on={rows.invoice(ago(10), 100, currency="EUR"): "33.35"})  # 36.685 at 1.1
    rows.rate("EUR", ago(10), "1.1")
    rows.rate("EUR", TODAY, 9)
    assert [group.net for group in load(engine).allocations] == [Decimal("36.72")]


def test_settlements_name_the_currencies_that_their_allocations_lack(db: Db, engine: Engine) -> None:
    rows = add_tenant(db, basis="cash")
    euros = rows.invoice(ago(20), 100, currency="EUR")
    more_euros = rows.invoice(ago(10), 100, currency="EUR")
    own_rate = rows.invoice(ago(10), 100, currency="EUR", base_rate="1.2")
    pounds = rows.invoice(ago(15), 100, currency="GBP")
    rows.payment(TODAY, 100, on={euros: 50, pounds: 5, more_euros: 50}, currency="EUR")
    rows.payment(TODAY, 100, on={more_euros: 40, own_rate: 60}, currency="EUR")
    rows.payment(TODAY, 100, on={own_rate: 10})
    rows.rate("EUR", ago(10), "1.1")
    facts = load(engine)
    assert set(facts.settlements) == {
        SettlementGroup(day=TODAY, documents=1, lacking=("EUR", "GBP")),
        SettlementGroup(day=TODAY, documents=2, lacking=()),
    }
    assert {(group.no_rate, group.since, group.net) for group in facts.allocations} == {
        ("EUR", ago(20), Decimal(50)),
        ("GBP", ago(15), Decimal(5)),
        (None, None, Decimal("183.00")),  # 50 × 1.1 + 40 × 1.1 + 60 × 1.2 + 10 × 1.2
    }


def test_a_refund_of_a_credit_note_takes_its_share_from_revenue_and_never_more_than_is_left(
    db: Db, engine: Engine
) -> None:
    rows = add_tenant(db, basis="cash")
    invoice = rows.invoice(ago(5), 1000)
    note = rows.credit_note(ago(4), 110, tax=10, on={invoice: 55})
    rows.refund(TODAY, 33, on={note: 33})
    rows.refund(TODAY, 33, on={note: 33})  # 22 is left of the note: −20; the other 11 pay for nothing
    facts = load(engine)
    assert [group.net for group in facts.allocations] == [Decimal(-50)]
    assert [(group.kind, group.amount) for group in facts.credits] == [("refund", Decimal(-11))]
