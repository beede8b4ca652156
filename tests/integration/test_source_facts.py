"""What each statement counts and how it groups it: the facts themselves, before any metric is computed from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    """What is unspent now, by currency."""
    found: dict[str, Decimal] = {}
    for group in load(engine).credits:
        found[group.currency] = found.get(group.currency, Decimal(0)) + group.amount
    return found


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


def open_groups(engine: Engine) -> dict[str, tuple[str, int, Decimal, Decimal | None]]:
    return {
        group.client_id or "": (group.bucket, group.documents, group.amount, group.base)
        for group in load(engine).open_invoices
    }


def test_open_invoices_are_summed_by_client_bucket_and_currency_at_todays_rate(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    due = ago(-10)
    ann = rows.client("ann", name="Ann")
    foreign: dict[str, Any] = {"client_id": ann, "currency": "EUR", "due_date": due}
    rows.invoice(ago(20), 100, **foreign, balance="33.35")
    rows.invoice(ago(-2), 100, **foreign, balance="33.35", base_rate=9)
    rows.invoice(ago(20), 100, **foreign, balance=0)
    rows.invoice(ago(20), 100, **foreign, balance=-5)
    rows.invoice(ago(20), 100, **foreign, balance="0.004")
    rows.invoice(ago(20), 100, **foreign, written_off_on=TODAY)
    rows.invoice(ago(80), 70, due_date=ago(31), written_off_on=ago(-1))
    rows.invoice(ago(80), 70, due_date=None, currency="GBP", base_rate=2, client_id="bob")
    rows.invoice(ago(80), 70, due_date=due, currency="CHF", client_id="carl")
    rows.rate("EUR", ago(3), "1.1")
    assert set(load(engine).open_invoices) == {
        OpenInvoiceGroup(
            client_id="ann", name="Ann", bucket="current", currency="EUR", documents=2, anomalies=1,
            amount=Decimal("66.70"), base=Decimal("73.38"), issued_documents=1, issued_base=Decimal("36.69"),
            oldest_due=due, largest=Decimal("36.69"),
        ),
        OpenInvoiceGroup(
            client_id=None, name=None, bucket="31-60", currency="USD", documents=1, anomalies=0, amount=Decimal(70),
            base=Decimal(70), issued_documents=1, issued_base=Decimal(70), oldest_due=ago(31), largest=Decimal(70),
        ),
        OpenInvoiceGroup(
            client_id="bob", name=None, bucket="current", currency="GBP", documents=1, anomalies=1, amount=Decimal(70),
            base=Decimal(140), issued_documents=1, issued_base=Decimal(140), oldest_due=None, largest=Decimal(140),
        ),
        OpenInvoiceGroup(
            client_id="carl", name=None, bucket="current", currency="CHF", documents=1, anomalies=0, amount=Decimal(70),
            base=None, issued_documents=1, issued_base=None, oldest_due=due, largest=None,
        ),
    }  # fmt: skip


def test_an_invoice_is_expected_when_due_without_a_due_date_today_and_when_overdue_on_no_day(
    db: Db, engine: Engine
) -> None:
    rows = add_tenant(db)
    for days in (-30, -29, 0, 1):
        rows.invoice(ago(40), 1, due_date=ago(days))
    rows.invoice(ago(40), 1, due_date=None)
    rows.invoice(ago(40), 5, due_date=TODAY, currency="GBP")
    assert {(group.day, group.no_rate): (group.documents, group.amount) for group in load(engine).incoming} == {
        (TODAY, None): (2, Decimal(2)),
        (TODAY, "GBP"): (1, Decimal(5)),
        (ago(-29), None): (1, Decimal(1)),
    }


def test_payments_dated_ahead_say_when_an_invoice_is_paid_as_far_as_they_go(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.rate("EUR", TODAY, "1.1")
    half = rows.invoice(ago(40), "66.70", currency="EUR", due_date=ago(-20))
    rows.payment(
        ago(-5), "33.35", currency="EUR", on={half: "33.35"}
    )  # 36.685 → 36.69; the whole 73.37; the rest 36.68
    late = rows.invoice(ago(40), 90, due_date=ago(10))
    rows.payment(ago(-7), 60, on={late: 60})
    rows.payment(ago(-6), 60, on={late: 60})  # earlier, so this one comes in full, and 30 of the other
    rows.payment(ago(-8), 60, on={late: 60})
    rows.payment(ago(-3), 60, on={late: 60}, status="pending")
    beyond = rows.invoice(ago(40), 10, due_date=ago(-2))
    rows.payment(ago(-40), 4, on={beyond: 4})
    assert {(group.day, group.amount) for group in load(engine).incoming} == {
        (ago(-5), Decimal("36.69")), (ago(-20), Decimal("36.68")), (ago(-6), Decimal(60)), (ago(-7), Decimal(30)),
        (ago(-2), Decimal(6)),
    }  # fmt: skip


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


def test_what_the_host_says_is_unapplied_or_left_of_a_credit_note_is_believed(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    invoice = rows.invoice(TODAY, 100, balance=5)
    rows.payment(TODAY, 70, on={invoice: 60}, unapplied="2.5")
    rows.payment(TODAY, 70, unapplied=0)
    rows.refund(TODAY, 10, unapplied=1)
    rows.credit_note(ago(3), 50, balance=20)
    rows.credit_note(ago(3), 50, balance=0)
    rows.credit_note(ago(-1), 50, balance=50)
    assert {(group.kind, group.amount) for group in load(engine).credits} == {
        ("payment", Decimal("2.5")),
        ("refund", Decimal(-1)),
        ("credit_note", Decimal(20)),
    }
    assert [group.amount for group in load(engine).open_invoices] == [Decimal(5)]


def test_money_allocated_to_what_is_not_posted_or_not_there_is_credit(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    for status in ("void", "draft"):
        rows.payment(TODAY, 10, on={rows.invoice(TODAY, 10, status=status): 10})
    rows.payment(TODAY, 10, on={"never-was": 10})
    rows.payment(TODAY, 10, on={rows.invoice(TODAY, 10): 10})
    (group,) = load(engine).credits
    assert (group.documents, group.amount, group.base) == (3, Decimal(30), Decimal(30))


# On an invoice of 100, in the order of SPEC 4.6: (kind, days ago, amount) … → balance, what is unspent of each kind.
LINKS: dict[str, tuple[list[tuple[str, int, int]], int, dict[str, int]]] = {
    "paid in full": ([("payment", 5, 100)], 0, {}),
    "paid in part": ([("payment", 5, 40), ("credit_note", 4, 10)], 50, {}),
    "overpaid": ([("payment", 5, 130)], 0, {"payment": 30}),
    "a surplus goes back": ([("payment", 5, 130), ("refund", 4, 30)], 0, {}),
    "a refund reopens": ([("payment", 5, 100), ("refund", 4, 30)], 30, {}),
    "a refund of more than the surplus": ([("payment", 5, 130), ("refund", 4, 50)], 20, {}),
    "a refund of more than was paid": ([("payment", 5, 60), ("refund", 4, 80)], 100, {"refund": -20}),
    "a refund before its payment": ([("refund", 5, 30), ("payment", 4, 100)], 0, {"refund": -30}),
    "on one day payments come first": ([("refund", 4, 30), ("payment", 4, 100)], 30, {}),
    "credited beyond the total": ([("payment", 5, 80), ("credit_note", 4, 50)], 0, {"credit_note": 30}),
    "paid after it was credited": ([("credit_note", 5, 50), ("payment", 4, 80)], 0, {"payment": 30}),
    "on one day credit notes come second": ([("credit_note", 4, 50), ("payment", 4, 80)], 0, {"credit_note": 30}),
    "a refund reopens no credit": ([("credit_note", 5, 90), ("payment", 4, 10), ("refund", 3, 30)], 10, {"refund": -20}),
    "reopened and paid again": (
        [("payment", 9, 100), ("refund", 8, 30), ("payment", 7, 50), ("refund", 6, 5)], 0, {"payment": 15},
    ),
}  # fmt: skip


def test_links_are_followed_to_their_end_and_capped_at_what_their_target_can_take(db: Db, engine: Engine) -> None:
    for name, (links, _, _) in LINKS.items():
        rows = add_tenant(db, name)
        invoice = rows.invoice(ago(100), 100)
        for kind, days, amount in links:
            add: Callable[..., str] = getattr(rows, kind)
            add(ago(days), amount, on={invoice: amount})
    found = load_all(engine, LINKS)
    for name, (_, balance, unspent) in LINKS.items():
        facts = found[name]
        assert sum(group.amount for group in facts.open_invoices) == balance, name
        credits: dict[str, Decimal] = {}
        for group in facts.credits:
            credits[group.kind] = credits.get(group.kind, Decimal(0)) + group.amount
        assert credits == unspent, name


def test_a_link_of_another_currency_takes_from_its_source_at_the_rates_of_the_sources_day(
    db: Db, engine: Engine
) -> None:
    rows = add_tenant(db)
    rows.rate("EUR", ago(5), "1.1")
    rows.rate("EUR", TODAY, 9)
    rows.payment(ago(5), 200, on={rows.invoice(ago(9), 50, currency="EUR"): 50})  # 200 − 55
    rows.payment(ago(5), 70, currency="GBP", base_rate=2, on={rows.invoice(ago(9), 20, currency="EUR"): 20})  # 70 − 11
    rows.payment(ago(5), 7, on={rows.invoice(ago(9), 5, currency="CHF"): 5, rows.invoice(ago(9), 3): 3})
    assert {(g.currency, g.amount, g.base, g.lacks, g.since) for g in load(engine).credits} == {
        ("USD", Decimal(145), Decimal(145), None, None),
        ("GBP", Decimal(59), Decimal(118), None, None),
        ("USD", Decimal(4), None, "CHF", ago(5)),
    }


def test_a_payment_without_client_belongs_to_that_of_its_allocations(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    void = rows.invoice(TODAY, 1, client_id="void", status="void", invoice_id="a")
    nobody = rows.invoice(TODAY, 1, invoice_id="b")
    first = rows.invoice(ago(80), 1, client_id="first", invoice_id="c")
    second = rows.invoice(ago(80), 1, client_id="second", invoice_id="d")
    rows.payment(TODAY, 10, on={second: 1, first: 1, nobody: 1, void: 1})
    rows.payment(TODAY, 10, on={second: 1}, client_id="own")
    rows.payment(TODAY, 10)
    facts = load(engine)
    assert {group.client_id: group.amount for group in facts.credits} == {"first": 7, "own": 10, None: 10}
    assert facts.activity.current == 2


def test_links_are_unknown_where_balances_are_kept_and_nothing_says_where_money_went(db: Db, engine: Engine) -> None:
    for name in ("unknown", "no balances", "no money", "allocated", "unapplied", "credit note"):
        rows = add_tenant(db, name, basis="cash")
        invoice = rows.invoice(ago(5), 100, balance=None if name == "no balances" else 0)
        if name != "no money":
            rows.payment(ago(4), 100, unapplied=0 if name == "unapplied" else None)
        if name == "allocated":
            rows.payment(ago(3), 1, on={invoice: 1})
        if name == "credit note":
            rows.credit_note(ago(1), 20)
    found = load_all(engine, ("unknown", "no balances", "no money", "allocated", "unapplied", "credit note"))
    assert {name for name, facts in found.items() if not facts.links_known} == {"unknown", "credit note"}
    assert [(group.kind, group.amount) for group in found["credit note"].credits] == [("credit_note", Decimal(20))]
    assert found["unknown"].credits == ()


def test_expenses_go_out_on_the_day_ordered_else_when_due_else_today(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.expense(ago(90), 100, due_date=ago(60))
    rows.expense(ago(5), 10, due_date=TODAY)
    rows.expense(ago(5), 7)
    rows.expense(ago(5), 30, due_date=ago(-7), paid_on=ago(-3), currency="EUR")
    rows.expense(ago(5), 40, due_date=ago(7), paid_on=ago(-3))
    rows.expense(ago(5), 999, due_date=ago(-30))
    rows.expense(ago(5), 999, due_date=ago(-3), paid_on=TODAY)
    rows.expense(ago(5), 999, due_date=TODAY, status="draft")
    assert set(load(engine).payables) == {
        PayableGroup(day=TODAY, vendor=None, no_rate=None, documents=3, amount=Decimal(117)),
        PayableGroup(day=ago(-3), vendor=None, no_rate=None, documents=1, amount=Decimal(40)),
        PayableGroup(day=ago(-3), vendor=None, no_rate="EUR", documents=1, amount=Decimal(30)),
    }


def test_a_vendor_is_named_where_it_owes_us_something_and_credits_without_vendor_are_nobodys(
    db: Db, engine: Engine
) -> None:
    rows = add_tenant(db)
    rows.expense(ago(5), 50, due_date=TODAY, vendor="Mill")
    rows.expense(ago(5), -20, due_date=ago(-60), vendor="Mill")
    rows.expense(ago(5), -5, vendor="Mill", currency="EUR")
    rows.expense(ago(5), 50, due_date=TODAY, vendor="Yard")
    rows.expense(ago(5), -20, paid_on=ago(2), vendor="Yard")
    rows.expense(ago(5), -20)
    assert set(load(engine).payables) == {
        PayableGroup(day=TODAY, vendor="Mill", no_rate=None, documents=1, amount=Decimal(50)),
        PayableGroup(day=None, vendor="Mill", no_rate=None, documents=1, amount=Decimal(-20)),
        PayableGroup(day=None, vendor="Mill", no_rate="EUR", documents=1, amount=Decimal(-5)),
        PayableGroup(day=TODAY, vendor=None, no_rate=None, documents=1, amount=Decimal(50)),
    }


@pytest.mark.parametrize(("age", "expected"), [(3, 13), (1, None), (0, 100), (-2, 300)])
def test_the_cash_flow_between_the_hosts_balance_and_today_is_read(
    db: Db, engine: Engine, age: int, expected: int | None
) -> None:
    rows = add_tenant(db, cash_balance="1000.005", cash_balance_on=ago(age))
    rows.payment(ago(3), 1)
    rows.payment(ago(2), 20)
    rows.refund(ago(1), 3)
    rows.expense(ago(50), 4, paid_on=ago(1))
    rows.payment(TODAY, 100)
    rows.payment(ago(-2), 200)
    rows.payment(ago(2), 5, currency="GBP")
    facts = load(engine)
    assert (facts.tenant.cash_balance, facts.tenant.cash_balance_on) == (Decimal("1000.01"), ago(age))
    found = {group.no_rate: (group.amount, group.since) for group in facts.cash_since}
    assert found.get(None, (None, None)) == (expected, None)
    assert found.get("GBP") == ((Decimal(5), ago(2)) if age == 3 else None)


def test_quotes_fall_into_the_window_of_their_decision(db: Db, engine: Engine) -> None:
    cases: list[tuple[dict[str, Any], list[tuple[str | None, str]]]] = [
        ({"status": "accepted", "decided_on": ago(0)}, [("recent", "won")]),
        ({"status": "accepted", "decided_on": ago(29)}, [("recent", "won")]),
        ({"status": "converted", "decided_on": ago(30)}, [("current", "won")]),
        ({"status": "declined", "decided_on": ago(89)}, [("current", "lost")]),
        ({"status": "expired", "decided_on": ago(90)}, [("previous", "lost")]),
        ({"status": "accepted", "decided_on": ago(179)}, [("previous", "won")]),
        ({"status": "accepted", "decided_on": ago(180)}, []),
        ({"status": "accepted", "decided_on": ago(-1)}, [(None, "open")]),
        ({"status": "expired", "expiry_date": ago(0)}, [(None, "open")]),
        ({"status": "expired", "expiry_date": ago(30), "decided_on": ago(40)}, [("current", "lost")]),
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


def test_open_quotes_are_a_balance_and_decided_ones_a_flow_of_their_issue_date(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    rows.quote("sent", ago(-1), 10, currency="EUR", expiry_date=ago(-5))
    rows.quote("sent", ago(3), 10, currency="EUR", base_rate=2, expiry_date=ago(-5))
    rows.quote("accepted", ago(3), 10, currency="EUR", base_rate=2, decided_on=ago(-2), expiry_date=ago(1))
    rows.quote("accepted", ago(3), 10, currency="EUR", base_rate=2)
    rows.quote("declined", ago(9), 10, currency="EUR")
    rows.quote("declined", ago(19), 10, currency="EUR")
    rows.quote("sent", ago(3), 10, currency="GBP")
    rows.rate("EUR", TODAY, 3)
    assert set(load(engine).quotes) == {
        QuoteGroup(window=None, outcome="open", no_rate=None, documents=2, anomalies=1, amount=Decimal(60),
                   expires_on=ago(-5)),
        QuoteGroup(window=None, outcome="open", no_rate=None, documents=1, anomalies=0, amount=Decimal(30)),
        QuoteGroup(window=None, outcome="open", no_rate="GBP", documents=1, anomalies=0, amount=Decimal(10), since=TODAY),
        QuoteGroup(window="recent", outcome="won", no_rate=None, documents=1, anomalies=0, amount=Decimal(20)),
        QuoteGroup(window="recent", outcome="lost", no_rate="EUR", documents=2, anomalies=0, amount=Decimal(20),
                   since=ago(19)),
    }  # fmt: skip


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
        ClientGroup(client_id="c1", name="Ann", no_rate=None, documents=2, net=Decimal(80)),
        ClientGroup(client_id="nobody-knows", name=None, no_rate="EUR", documents=1, net=Decimal(30)),
        ClientGroup(client_id=None, name=None, no_rate=None, documents=1, net=Decimal(40)),
    }


def test_active_templates_of_the_coming_thirty_days_are_read_with_the_newest_that_they_made(
    db: Db, engine: Engine
) -> None:
    rows = add_tenant(db)
    rows.recurring(ago(-29), 50, terms_days=14, ends_on=ago(-400))
    costs = rows.recurring(
        ago(200), "5.125", kind="expense", interval_unit="week", interval_count=2, currency="EUR", recurring_id="x"
    )
    rows.recurring(ago(-30), 999)
    rows.recurring(TODAY, 999, active=False)
    rows.rate("EUR", TODAY, 2)
    rows.invoice(ago(40), 1, recurring_id="recurring-1")
    rows.invoice(ago(30), 1, recurring_id="recurring-1")
    rows.invoice(ago(20), 1, recurring_id="recurring-1", status="draft")
    rows.invoice(ago(20), 1, recurring_id=costs)
    rows.expense(ago(-3), 1, recurring_id=costs)
    assert load(engine).recurring == (
        Recurring(
            kind="invoice", currency="USD", amount=Decimal(50), base=Decimal(50), interval_unit="month", interval_count=1,
            next_on=ago(-29), ends_on=ago(-400), terms_days=14, newest_document=ago(30),
        ),
        Recurring(
            kind="expense", currency="EUR", amount=Decimal("5.13"), base=Decimal("10.25"), interval_unit="week",
            interval_count=2, next_on=ago(200), ends_on=None, terms_days=0, newest_document=ago(-3),
        ),
    )  # fmt: skip


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
        rows.invoice(ago(10), 1, currency=currency, balance=0, client_id=currency)
        for age, rate in own.items():
            rows.rate(currency, ago(10 + age), rate)
        for age, rate in for_all.items():
            rows.rate(currency, ago(10 + age), rate, everyone=True)
        Rows(db, "stranger").rate(currency, ago(10), 99)
        rows.rate(currency, ago(10), 98, base="MXN")
    assert {group.client_id: (group.no_rate, group.net) for group in load(engine).clients} == {
        currency: (None, rate) if rate else (currency, 1) for currency, (_, _, rate) in cases.items()
    }


def test_balances_take_the_rate_of_today_before_their_documents_own(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    for currency in ("EUR", "GBP"):
        rows.invoice(ago(500), 10, currency=currency, balance=10, base_rate=7, due_date=TODAY)
        rows.payment(ago(500), 10, currency=currency, base_rate=7, unapplied=10)
        rows.expense(ago(500), 10, currency=currency, due_date=TODAY, base_rate=7)
    rows.rate("EUR", ago(1), 2)
    facts = load(engine)
    assert {(group.currency, group.base) for group in facts.open_invoices} == {("EUR", 20), ("GBP", 70)}
    assert {(group.currency, group.base) for group in facts.credits} == {("EUR", 20), ("GBP", 70)}
    assert [group.amount for group in facts.payables] == [90]
    assert [group.amount for group in facts.incoming] == [90]


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
