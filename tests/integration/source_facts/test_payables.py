"""What goes out, and what the accounts held."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import Engine

from tests.integration.source_facts.loading import TODAY, Db, ago, load
from tests.rows import add_tenant
from workers.facts import (
    PayableGroup,
)


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
