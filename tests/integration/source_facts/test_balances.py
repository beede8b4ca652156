"""Balances: what is open, expected, left over, and what links between documents say."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from tests.integration.source_facts.loading import TODAY, Db, ago, credit, load, load_all
from tests.rows import add_tenant
from workers.facts import (
    OpenInvoiceGroup,
)


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
            oldest_due=due, largest=Decimal("36.69"), largest_id="invoice-1",
        ),
        OpenInvoiceGroup(
            client_id=None, name=None, bucket="31-60", currency="USD", documents=1, anomalies=0, amount=Decimal(70),
            base=Decimal(70), issued_documents=1, issued_base=Decimal(70), oldest_due=ago(31), largest=Decimal(70),
            largest_id="invoice-7",
        ),
        OpenInvoiceGroup(
            client_id="bob", name=None, bucket="current", currency="GBP", documents=1, anomalies=1, amount=Decimal(70),
            base=Decimal(140), issued_documents=1, issued_base=Decimal(140), oldest_due=None, largest=Decimal(140),
            largest_id="invoice-8",
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


def test_an_invoice_in_pieces_counts_once_a_day_and_again_on_its_later_days(db: Db, engine: Engine) -> None:
    rows = add_tenant(db)
    pieces = rows.invoice(ago(40), 100, due_date=ago(-9))
    for days, amount in ((-3, 30), (-3, 20), (-5, 10), (-40, 7)):  # the last beyond the 30 days, so 33 are left
        rows.payment(ago(days), amount, on={pieces: amount})
    rows.invoice(ago(40), 5, due_date=ago(-3))
    rows.invoice(ago(40), 6, due_date=ago(-9))
    found = {group.day: (group.documents, group.amount, group.again) for group in load(engine).incoming}
    assert found == {ago(-3): (2, Decimal(55), 0), ago(-5): (1, Decimal(10), 1), ago(-9): (2, Decimal(39), 1)}


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
