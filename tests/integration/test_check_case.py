"""The check case of SPEC 4, as rows: the batch and the independent calculation both arrive at its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import Engine

from shared.snapshot import CASH_FLOW, EXPENSES, OVERDUE, PENDING, PROFIT, REVENUE
from tests.calculations import agreed
from tests.rows import add_tenant

DAY = timedelta(days=1)
TODAY = date(2026, 3, 11)
YESTERDAY = TODAY - DAY
# 14:00 in New York, three days after its clocks went forward.
NOW = datetime(2026, 3, 11, 18, 0, tzinfo=UTC)


def add_check_case(db: psycopg.Connection, basis: str) -> None:
    """Tenant A of SPEC 4. Amounts are written as total, tax: 1000+100 is 1100, tax 100."""
    a = add_tenant(db, "A", timezone="America/New_York", base_currency="USD", basis=basis)
    a.rate("EUR", YESTERDAY, "1.08")
    a.rate("EUR", TODAY, "1.10")
    a.invoice(TODAY, 1100, tax=100, due_date=TODAY + 30 * DAY, invoice_id="I1")
    a.invoice(TODAY, 600, tax=100, due_date=TODAY + 14 * DAY, currency="EUR", invoice_id="I2")
    a.invoice(YESTERDAY, 880, tax=80, due_date=YESTERDAY, invoice_id="I3")
    a.payment(TODAY, 300, on={"I3": 300})
    a.credit_note(TODAY, 110, tax=10, on={"I3": 110}, invoice_id="CN1")
    a.invoice(TODAY - 19 * DAY, 400, due_date=TODAY, invoice_id="I4")
    a.invoice(TODAY, 5000, status="draft", invoice_id="I5")
    a.invoice(TODAY, 700, status="void", invoice_id="I6")
    a.invoice(TODAY - 38 * DAY, 2200, tax=200, due_date=TODAY - 8 * DAY, invoice_id="I7")
    a.payment(TODAY, 2500, on={"I7": 2200})
    a.refund(TODAY, 100)
    a.invoice(YESTERDAY, 1200, due_date=TODAY + 29 * DAY, invoice_id="I8")
    a.payment(YESTERDAY, 1000, on={"I8": 1000})
    a.payment(TODAY, 999, status="failed")
    a.expense(TODAY, 600, paid_on=TODAY)
    a.expense(TODAY, 330, tax=30)
    a.expense(YESTERDAY, 200, paid_on=YESTERDAY)
    a.expense(TODAY, 100, currency="GBP")


@dataclass(frozen=True)
class Case:
    """Numbers of one basis."""

    basis: str
    revenue: tuple[str, str, str]
    expenses: tuple[str, str]
    profit: tuple[str, str]
    unconverted: dict[str, tuple[str, int]]


ACCRUAL = Case("accrual", ("1450", "2000", "-27.5"), ("900", "200"), ("550", "1800"), {"GBP": ("100", 1)})
# Received without tax today: 300 × 800/880 of I3 and 2200 × 2000/2200 of I7; the refund settles nothing. Yesterday the
# 1000 of I8. (2272.73 − 1000) / 1000 = 127.3 %. Paid out: 600 today, 200 yesterday.
CASH = Case("cash", ("2272.73", "1000", "127.3"), ("600", "200"), ("1672.73", "800"), {})


@pytest.mark.parametrize("case", [ACCRUAL, CASH], ids=lambda case: case.basis)
def test_check_case_has_the_numbers_of_the_specification(db: psycopg.Connection, engine: Engine, case: Case) -> None:
    add_check_case(db, case.basis)

    shown = agreed(engine, "A", NOW)

    metrics = shown.metrics
    pairs = {name: (metrics[name].value, metrics[name].previous) for name in (EXPENSES, PROFIT, CASH_FLOW)}
    assert pairs == {
        EXPENSES: tuple(map(Decimal, case.expenses)),
        PROFIT: tuple(map(Decimal, case.profit)),
        CASH_FLOW: (Decimal(2100), Decimal(800)),
    }
    revenue = metrics[REVENUE]
    assert (revenue.value, revenue.previous, revenue.change_percent) == tuple(map(Decimal, case.revenue))
    left_out = {c: (str(left.amount), left.documents) for c, left in metrics[EXPENSES].unconverted.items()}
    assert left_out == {c: (f"{amount}.00", n) for c, (amount, n) in case.unconverted.items()}
    assert (metrics[PENDING].value, metrics[PENDING].amount) == (4, Decimal("2360.00"))
    assert (metrics[OVERDUE].value, metrics[OVERDUE].amount) == (1, Decimal("470.00"))
    assert shown.receivables.outstanding == Decimal(2830)
    assert shown.receivables.customer_credit == Decimal(200)
