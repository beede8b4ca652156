"""What each statement counts and how it groups it: the facts themselves, before any metric is computed from them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from tests.rows import Rows, add_tenant
from workers.facts import (
    ClientActivity,
    ClientGroup,
    CreditGroup,
    ExpenseGroup,
    InvoiceGroup,
    OpenInvoiceGroup,
    PayableGroup,
    PaymentGroup,
    QuoteGroup,
    Recurring,
    SettlementGroup,
    TenantFacts,
)
from workers.source import Source

Db = psycopg.Connection[Any]
TODAY = date(2026, 3, 11)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def load_all(engine: Engine, tenant_ids: Iterable[str]) -> dict[str, TenantFacts]:
    return Source(engine).load(list(tenant_ids), now=datetime(2026, 3, 11, 12, tzinfo=UTC)).facts


def load(engine: Engine) -> TenantFacts:
    return load_all(engine, ["t1"])["t1"]


def credit(engine: Engine) -> dict[str, Decimal]:
    return {group.currency: group.amount for group in load(engine).credits}


def test_invoices_are_summed_by_day_kind_and_currency(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.invoice(TODAY, 110, tax=10)
    rows.invoice(TODAY, 55, tax=5, due_date=ago(-14))
    rows.invoice(TODAY, 20, due_date=None)
    rows.credit_note(TODAY, 11, tax=1)
    rows.invoice(TODAY, 999, status="draft")
    rows.invoice(TODAY, 999, status="void")
    invoices, notes = sorted(load(engine).invoices, key=lambda group: group.kind, reverse=True)
    assert invoices == InvoiceGroup(
        day=TODAY, kind="invoice", currency="USD", documents=3, anomalies=1,
        net=Decimal(170), gross=Decimal(185), terms_days=44, with_terms=2,
    )  # fmt: skip
    assert notes == InvoiceGroup(
        day=TODAY, kind="credit_note", currency="USD", documents=1, anomalies=0,
        net=Decimal(-10), gross=Decimal(-11), terms_days=0, with_terms=0,
    )  # fmt: skip


def test_a_document_with_its_own_rate_is_in_base_units_and_one_without_waits_for_a_rate(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.invoice(TODAY, 100, currency="EUR", base_rate="1.25")
    rows.invoice(TODAY, 10, base_rate="7")  # the base currency itself is 1, whatever the document says
    rows.invoice(TODAY, 200, currency="EUR")
    rows.rate("EUR", ago(2), "1.1")
    facts = load(engine)
    assert {group.currency: (group.documents, group.gross) for group in facts.invoices} == {
        "USD": (2, Decimal(135)),
        "EUR": (1, Decimal(200)),
    }
    assert facts.rates == {("EUR", TODAY): Decimal("1.1")}


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
            day=ago(1), category="rent", currency="USD", documents=2, anomalies=1, net=Decimal(70), gross=Decimal(80)
        ),
    )
    assert facts.paid_expenses == (
        ExpenseGroup(
            day=TODAY, category="rent", currency="USD", documents=1, anomalies=0, net=Decimal(100), gross=Decimal(110)
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
        PaymentGroup(day=TODAY, kind="payment", currency="USD", documents=2, amount=Decimal(150)),
        PaymentGroup(day=TODAY, kind="refund", currency="USD", documents=1, amount=Decimal(-30)),
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
    # 110 × 300/330 − 11 × 300/330 = 90; a total of 0 brings 0
    assert [(g.day, g.currency, g.rate_date, round(g.net, 15)) for g in found.allocations] == [
        (TODAY, "USD", None, Decimal(90))
    ]
    # Two payments succeeded and one refund; the payment of a void invoice has nothing to convert.
    assert found.settlements == (SettlementGroup(day=TODAY, documents=3, needs=()),)


def test_a_share_of_a_third_is_exact_far_beyond_any_minor_unit(db: Db, engine: Engine) -> None:
    rows = add_tenant(db, basis="cash")
    invoice = rows.invoice(TODAY, "9999999999999999.0003", tax="1111111111111111.0001")
    rows.payment(TODAY, "3333333333333333.0001", on={invoice: "3333333333333333.0001"})
    (group,) = load(engine).allocations
    paid, total, tax = 33333333333333330001, 99999999999999990003, 11111111111111110001
    exact = Decimal(paid * (total - tax) * 10**20 // total) / 10**24  # the default context rounds to 28 digits
    assert abs(group.net - exact) < Decimal("1e-11")


def test_settlements_list_the_rates_that_their_allocations_still_need(db: Db, engine: Engine) -> None:
    rows = add_tenant(db, basis="cash")
    euros = rows.invoice(ago(20), 100, currency="EUR")
    more_euros = rows.invoice(ago(10), 100, currency="EUR")
    own_rate = rows.invoice(ago(10), 100, currency="EUR", base_rate="1.2")
    rows.payment(TODAY, 100, on={euros: 50, more_euros: 50}, currency="EUR")
    rows.payment(TODAY, 100, on={more_euros: 40, own_rate: 60}, currency="EUR")
    rows.payment(TODAY, 100, on={own_rate: 10})
    rows.rate("EUR", ago(10), "1.1")
    facts = load(engine)
    assert set(facts.settlements) == {
        SettlementGroup(day=TODAY, documents=1, needs=(("EUR", ago(20)), ("EUR", ago(10)))),
        SettlementGroup(day=TODAY, documents=1, needs=(("EUR", ago(10)),)),
        SettlementGroup(day=TODAY, documents=1, needs=()),
    }
    assert {(group.currency, group.rate_date, group.net) for group in facts.allocations} == {
        ("EUR", ago(20), Decimal(50)),
        ("EUR", ago(10), Decimal(90)),
        ("USD", None, Decimal(84)),
    }
    assert facts.rates[("EUR", ago(10))] == Decimal("1.1")
    assert ("EUR", ago(20)) not in facts.rates


def test_open_invoices_keep_both_their_own_currency_and_their_own_rate(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    due = ago(-10)
    rows.invoice(ago(20), 100, currency="EUR", due_date=due, balance=60)
    rows.invoice(ago(20), 100, currency="EUR", due_date=due, balance=40, base_rate="1.2")
    rows.invoice(ago(20), 100, currency="EUR", due_date=due, balance=0)
    rows.invoice(ago(20), 100, currency="EUR", due_date=due, balance=-5)
    rows.invoice(ago(20), 100, currency="EUR", due_date=due, written_off_on=TODAY)
    rows.invoice(ago(80), 70, due_date=ago(31), written_off_on=ago(-1))
    assert set(load(engine).open_invoices) == {
        OpenInvoiceGroup(
            bucket="current", due_on=due, currency="EUR", documents=1, anomalies=0, amount=Decimal(60), own_base=None,
            largest=Decimal(60),
        ),
        OpenInvoiceGroup(
            bucket="current", due_on=due, currency="EUR", documents=1, anomalies=0,
            amount=Decimal(40), own_base=Decimal(48), largest=Decimal(40), largest_own_base=Decimal(48),
        ),
        OpenInvoiceGroup(
            bucket="31-60", due_on=None, currency="USD", documents=1, anomalies=0,
            amount=Decimal(70), own_base=Decimal(70), largest=Decimal(70), largest_own_base=Decimal(70),
        ),
    }  # fmt: skip


def test_the_due_day_is_told_for_the_thirty_days_that_begin_today(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    for days in (-30, -29, 0, 1):
        rows.invoice(ago(40), 1, due_date=ago(days))
    rows.invoice(ago(40), 1, due_date=None)
    found = {(group.bucket, group.due_on): group.documents for group in load(engine).open_invoices}
    assert found == {("current", None): 2, ("current", ago(-29)): 1, ("current", TODAY): 1, ("1-30", None): 1}


def test_money_that_nothing_uses_is_credit_and_unallocated_refunds_take_from_it(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    invoice = rows.invoice(TODAY, 100)
    rows.payment(ago(900), 70, on={invoice: 60})
    rows.payment(TODAY, 40, on={invoice: 40})
    rows.payment(ago(-1), 1000)
    rows.payment(TODAY, 1000, status="pending")
    assert credit(engine) == {"USD": Decimal(10)}
    rows.refund(TODAY, 25, on={invoice: 5})
    assert credit(engine) == {"USD": Decimal(-10)}


def test_money_allocated_to_what_is_not_posted_or_not_there_is_credit(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    for status in ("void", "draft"):
        rows.payment(TODAY, 10, on={rows.invoice(TODAY, 10, status=status): 10})
    rows.payment(TODAY, 10, on={"never-was": 10})
    rows.payment(TODAY, 10, on={rows.invoice(TODAY, 10): 10})
    assert load(engine).credits == (CreditGroup(currency="USD", documents=3, amount=Decimal(30), own_base=Decimal(30)),)


def test_money_beyond_an_invoices_total_is_credit(db: Db, engine: Engine) -> None:
    # (paid, refunded, credited) on an invoice of 100 → credit
    cases = {
        (100, 0, 0): 0,
        (130, 0, 0): 30,
        (130, 30, 0): 0,
        (100, 0, 20): 20,
        (10, 0, 120): 10,  # a credit note's own part is no money
        (0, 0, 150): 0,
        (50, 60, 150): 0,
    }
    for case in cases:
        paid, refunded, credited = case
        rows = add_tenant(db, str(case))
        invoice = rows.invoice(ago(100), 100)
        rows.payment(ago(50), paid, on={invoice: paid})
        rows.refund(ago(40), refunded, on={invoice: refunded})
        rows.credit_note(ago(30), credited, on={invoice: credited})
    found = load_all(engine, map(str, cases))
    assert {case: sum(group.amount for group in found[str(case)].credits) for case in cases} == cases


def test_a_payment_of_an_invoice_in_another_currency_leaves_nothing_that_could_be_known(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.payment(TODAY, 200, on={rows.invoice(TODAY, 50, currency="EUR"): 50})
    rows.payment(TODAY, 7, currency="EUR", base_rate=2)
    rows.payment(TODAY, 5, currency="EUR")
    assert set(load(engine).credits) == {
        CreditGroup(currency="EUR", documents=1, amount=Decimal(7), own_base=Decimal(14)),
        CreditGroup(currency="EUR", documents=1, amount=Decimal(5), own_base=None),
    }


def test_payables_fall_due_and_overdue_ones_at_once(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.expense(ago(90), 100, due_date=ago(60))
    rows.expense(ago(5), 10, due_date=TODAY)
    rows.expense(ago(5), -4, due_date=ago(-29))
    rows.expense(ago(5), 30, due_date=ago(-7), paid_on=ago(-3), currency="EUR")
    rows.expense(ago(5), 999, due_date=ago(-30))
    rows.expense(ago(5), 999, due_date=ago(-3), paid_on=TODAY)
    rows.expense(ago(5), 999)
    rows.expense(ago(5), 999, due_date=TODAY, status="draft")
    assert set(load(engine).payables) == {
        PayableGroup(due_on=TODAY, currency="USD", documents=2, amount=Decimal(110), own_base=Decimal(110)),
        PayableGroup(due_on=ago(-29), currency="USD", documents=1, amount=Decimal(-4), own_base=Decimal(-4)),
        PayableGroup(due_on=ago(-7), currency="EUR", documents=1, amount=Decimal(30), own_base=None),
    }


def test_quotes_fall_into_the_window_of_their_decision(db: Db, engine: Engine) -> None:
    cases: list[tuple[dict[str, Any], list[tuple[str | None, str]]]] = [
        ({"status": "accepted", "decided_on": ago(0)}, [("recent", "won")]),
        ({"status": "accepted", "decided_on": ago(29)}, [("recent", "won")]),
        ({"status": "converted", "decided_on": ago(30)}, [("current", "won")]),
        ({"status": "declined", "decided_on": ago(89)}, [("current", "lost")]),
        ({"status": "expired", "decided_on": ago(90)}, [("previous", "lost")]),
        ({"status": "accepted", "decided_on": ago(179)}, [("previous", "won")]),
        ({"status": "accepted", "decided_on": ago(180)}, []),
        ({"status": "accepted", "decided_on": ago(-1)}, []),
        ({"status": "accepted", "issue_date": ago(31)}, [("current", "won")]),
        ({"status": "expired", "expiry_date": ago(30)}, [("recent", "lost")]),
        ({"status": "expired", "issue_date": ago(95)}, [("previous", "lost")]),
        ({"status": "sent", "expiry_date": ago(1)}, [("recent", "lost")]),
        ({"status": "sent", "expiry_date": ago(0)}, [(None, "open")]),
        ({"status": "sent"}, [(None, "open")]),
        ({"status": "sent", "expiry_date": ago(500)}, []),
        ({"status": "draft", "decided_on": ago(0)}, []),
        ({"status": "void", "decided_on": ago(0)}, []),
    ]
    for number, (quote, _) in enumerate(cases):
        add_tenant(db, str(number)).quote(**{"issue_date": ago(200), **quote})
    found = load_all(engine, map(str, range(len(cases))))
    for number, (quote, expected) in enumerate(cases):
        assert [(group.window, group.outcome) for group in found[str(number)].quotes] == expected, quote


def test_quotes_are_converted_at_the_rate_of_their_issue_date(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.quote("sent", ago(-1), 10, currency="EUR")
    rows.quote("sent", ago(3), 10, currency="EUR", base_rate=2)
    rows.rate("EUR", TODAY, 3)
    facts = load(engine)
    open_quote: dict[str, Any] = {"window": None, "outcome": "open", "documents": 1}
    assert set(facts.quotes) == {
        QuoteGroup(**open_quote, currency="EUR", rate_date=ago(-1), anomalies=1, amount=Decimal(10)),
        QuoteGroup(**open_quote, currency="USD", rate_date=None, anomalies=0, amount=Decimal(20)),
    }
    assert facts.rates == {("EUR", ago(-1)): Decimal(3)}


def test_activity_counts_each_client_once_in_each_window(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.invoice(TODAY, 1, client_id="today")
    rows.payment(TODAY, 1, client_id="today")
    rows.payment(ago(29), 1, client_id="old")
    rows.quote("accepted", ago(50), decided_on=ago(30), client_id="old")
    rows.invoice(ago(59), 1, client_id="older")
    rows.invoice(ago(60), 1, client_id="oldest")
    rows.invoice(ago(61), 1, client_id="gone")
    rows.invoice(TODAY, 1)
    rows.credit_note(TODAY, 1, client_id="credited")
    rows.refund(TODAY, 1, client_id="refunded")
    rows.quote("declined", ago(5), decided_on=ago(2), client_id="declined")
    rows.invoice(ago(3), 1, client_id="void", status="void")
    assert load(engine).activity == ClientActivity(
        current=2,  # today, old
        previous=2,  # old (30 days ago), older (59)
        complete=1,  # old (29 and 30 days ago)
        complete_previous=2,  # older, oldest
        retained=0,
    )
    rows.payment(ago(1), 1, client_id="oldest")
    assert load(engine).activity.retained == 1


def test_clients_are_named_and_summed_with_their_credit_notes(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.client("c1", name="Ann")
    rows.invoice(ago(5), 110, tax=10, client_id="c1")
    rows.credit_note(ago(4), 20, client_id="c1")
    rows.invoice(ago(5), 30, client_id="nobody-knows", currency="EUR")
    rows.invoice(ago(5), 40)
    assert set(load(engine).clients) == {
        ClientGroup(client_id="c1", name="Ann", currency="USD", rate_date=None, documents=2, net=Decimal(80)),
        ClientGroup(
            client_id="nobody-knows", name=None, currency="EUR", rate_date=ago(5), documents=1, net=Decimal(30)
        ),
        ClientGroup(client_id=None, name=None, currency="USD", rate_date=None, documents=1, net=Decimal(40)),
    }


def test_active_templates_of_the_coming_thirty_days_are_read(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.recurring(ago(-29), 50, terms_days=14, ends_on=ago(-400))
    rows.recurring(ago(200), 5, kind="expense", interval_unit="week", interval_count=2, currency="EUR")
    rows.recurring(ago(-30), 999)
    rows.recurring(TODAY, 999, active=False)
    rows.rate("EUR", TODAY, 2)
    facts = load(engine)
    assert facts.recurring == (
        Recurring(
            kind="invoice", currency="USD", amount=Decimal(50), interval_unit="month", interval_count=1,
            next_on=ago(-29), ends_on=ago(-400), terms_days=14,
        ),
        Recurring(
            kind="expense", currency="EUR", amount=Decimal(5), interval_unit="week", interval_count=2,
            next_on=ago(200), ends_on=None, terms_days=0,
        ),
    )  # fmt: skip
    assert facts.rates == {("EUR", TODAY): Decimal(2)}


def test_the_newest_rate_of_a_week_wins_and_on_one_date_the_tenants_own(db: Db, engine: Engine) -> None:
    # Each case has a currency of its own: rates for all are shared. Ages in days → rate.
    cases: dict[str, tuple[dict[int, int], dict[int, int], int | None]] = {
        "EUR": ({0: 2}, {0: 3}, 2),
        "GBP": ({1: 2}, {0: 3}, 3),
        "CHF": ({7: 2}, {}, 2),
        "JPY": ({}, {7: 3}, 3),
        "SEK": ({8: 2}, {8: 3}, None),
        "NOK": ({-1: 2}, {3: 3}, 3),
        "DKK": ({}, {}, None),
    }
    rows = add_tenant(db)
    for currency, (own, for_all, _) in cases.items():
        rows.invoice(ago(10), 1, currency=currency, balance=0)
        for age, rate in own.items():
            rows.rate(currency, ago(10 + age), rate)
        for age, rate in for_all.items():
            rows.rate(currency, ago(10 + age), rate, everyone=True)
        Rows(db, "stranger").rate(currency, ago(10), 99)
        rows.rate(currency, ago(10), 98, base="MXN")
    assert load(engine).rates == {
        (currency, ago(10)): rate for currency, (_, _, rate) in cases.items() if rate is not None
    }


def test_balances_ask_for_the_rate_of_today(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.invoice(ago(500), 10, currency="EUR", balance=10)
    rows.payment(ago(500), 10, currency="GBP")
    rows.expense(ago(500), 10, currency="CHF", due_date=TODAY)
    for number, currency in enumerate(("EUR", "GBP", "CHF", "JPY"), start=1):
        rows.rate(currency, ago(1), number, everyone=True)
    assert load(engine).rates == {("EUR", TODAY): 1, ("GBP", TODAY): 2, ("CHF", TODAY): 3}


def test_each_tenant_of_a_batch_has_its_own_day_base_and_rows(db: Db, engine: Engine) -> None:
    east = add_tenant(db, "east", timezone="Pacific/Kiritimati", base_currency="EUR")
    west = add_tenant(db, "west", timezone="Pacific/Pago_Pago", basis="cash")
    for rows in (east, west):
        rows.invoice(date(2026, 3, 12), 1, currency="EUR")
        rows.invoice(date(2026, 3, 10), 2, currency="EUR")
    now = datetime(2026, 3, 11, 10, 30, tzinfo=UTC)  # already the 12th in the east, still the 10th in the west
    facts = Source(engine).load(["west", "east"], now=now).facts
    assert list(facts) == ["west", "east"]
    assert (facts["east"].clock.today, facts["west"].clock.today) == (date(2026, 3, 12), date(2026, 3, 10))
    assert sum(group.documents for group in facts["east"].invoices) == 2
    assert [group.day for group in facts["west"].invoices] == [date(2026, 3, 10)]
    assert (facts["east"].tenant.basis, facts["west"].tenant.basis) == ("accrual", "cash")
