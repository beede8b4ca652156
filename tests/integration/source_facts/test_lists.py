"""Quotes, clients, templates, rates, and tenants beside each other."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from tests.integration.source_facts.loading import TODAY, Db, ago, load, load_all
from tests.rows import Rows, add_tenant
from workers.facts import (
    ClientActivity,
    ClientGroup,
    QuoteGroup,
    Recurring,
)
from workers.source import Source


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
