"""Keeps demo tenants busy: every few seconds a plausible new row, committed as a host product would.

Rows are never taken away again: a demo that runs for days grows, and loading it anew starts over.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import psycopg
from psycopg import Connection
from psycopg.rows import class_row
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from demo.businesses import GENERATED, Business
from demo.costs import COSTS, SUNDRIES
from demo.generated import SIZES, usual_client, usual_currency
from demo.ledger import Ledger, in_cents
from demo.load import add_rates, copy_rows, raw_connection, shared_rates
from demo.rows import Allocation, Expense, Invoice, Payment, Quote
from shared.errors import DaybookError

BUSINESSES = {business.tenant_id: business for business in GENERATED if business.clients}
# The first tenant is the one that people look at.
FIRST_SHARE = 0.6
# Enough for every amount to have a rate of the last seven days when the demo runs on for weeks.
RATE_DAYS = 10

_INVOICE_COLUMNS = ", ".join(field.name for field in fields(Invoice))
OPEN_INVOICE = f"""
SELECT {_INVOICE_COLUMNS} FROM dashboard.invoice
WHERE tenant_id = %s AND status = 'posted' AND kind = 'invoice' AND balance > 0 AND issue_date <= %s
ORDER BY due_date, invoice_id OFFSET %s LIMIT 1 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 the columns are the fields of our own type
SETTLE = """
UPDATE dashboard.invoice SET balance = balance - %s, updated_at = now() WHERE tenant_id = %s AND invoice_id = %s
"""
ACCEPT_QUOTE = """
UPDATE dashboard.quote SET status = 'accepted', decided_on = %(today)s, updated_at = now()
WHERE tenant_id = %(tenant)s AND quote_id = (
    SELECT quote_id FROM dashboard.quote
    WHERE tenant_id = %(tenant)s AND status = 'sent' AND issue_date <= %(today)s AND expiry_date >= %(today)s
    ORDER BY issue_date, quote_id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING client_id, currency, total
"""


class DemoNotLoaded(DaybookError):
    """A tenant that should be kept busy is not one of the made-up ones, or not in the database. Load the demo first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that happened in a demo tenant, committed at `at`; `amount` is in `currency`.

    kind "waiting": nothing happened, for the database did not answer; the next turn tries again.
    """

    kind: str
    tenant_id: str
    what: str
    amount: Decimal | None = None
    currency: str | None = None
    at: datetime

    def __str__(self) -> str:
        money = f"  {self.currency} {self.amount:,}" if self.amount is not None else ""
        return f"{self.at:%H:%M:%S}  {self.tenant_id:<8} {self.kind:<8} {self.what}{money}"


def run(
    engine: Engine,
    *,
    tenants: Sequence[str] = tuple(BUSINESSES),
    interval_s: float = 3.0,
    stop: threading.Event,
    seed: int | None = None,
) -> Iterator[Action]:
    """One action after the other, `interval_s` apart, until `stop` is set; each has been committed when it is handed out.

    The first tenant gets the most. Raises DemoNotLoaded before anything happens if one of them is missing.
    """
    _require(engine, tenants)
    chance = Random(seed)
    rates_until: date | None = None
    while not stop.is_set():
        first = chance.random() < FIRST_SHARE
        tenant_id = tenants[0] if first else chance.choice(tenants)
        try:
            today = datetime.now(UTC).date()
            if rates_until != today:
                _commit(engine, lambda raw: add_rates(raw, shared_rates(days=RATE_DAYS)))
                rates_until = today
            yield act(engine, BUSINESSES[tenant_id], chance)
        except (psycopg.OperationalError, OperationalError):
            yield Action(kind="waiting", tenant_id=tenant_id, what="the database does not answer", at=datetime.now(UTC))
        stop.wait(interval_s)


def act(engine: Engine, business: Business, chance: Random) -> Action:
    """One thing that happens in the business today, in one transaction."""
    today = datetime.now(ZoneInfo(business.timezone)).date()
    ledger = Ledger(business, today, number=lambda prefix: f"{prefix}-{uuid.uuid4()}")
    turn = chance.choices((_sell, _collect, _spend, _accept, _offer), weights=(42, 33, 15, 6, 4))[0]

    def happen(raw: Connection[Any]) -> Action:
        action = turn(raw, ledger, chance)
        books = ledger.closed()
        for table, rows in (
            (Invoice, books.invoices),
            (Payment, books.payments),
            (Allocation, books.allocations),
            (Expense, books.expenses),
            (Quote, books.quotes),
        ):
            if rows:
                copy_rows(raw, table, rows)
        return action

    return _commit(engine, happen)


def _sell(_: Connection[Any], ledger: Ledger, chance: Random) -> Action:
    units = chance.choice(SIZES) * Decimal(chance.randint(90, 110)) / 100
    currency = usual_currency(ledger.business, chance)
    invoice = ledger.invoice(ledger.today, units, usual_client(ledger, chance), currency=currency)
    return _action(ledger, "invoice", _client_name(ledger, invoice.client_id), invoice.total, currency)


def _collect(raw: Connection[Any], ledger: Ledger, chance: Random) -> Action:
    """One of the longest open invoices is paid, now and then only in part; a sale when too few are open."""
    with raw.cursor(row_factory=class_row(Invoice)) as cursor:
        cursor.execute(OPEN_INVOICE, [ledger.tenant_id, ledger.today, chance.randrange(12)])
        invoice = cursor.fetchone()
    if invoice is None or invoice.balance is None:
        return _sell(raw, ledger, chance)
    part = (invoice.balance / 2).quantize(Decimal(1)) if chance.random() < 0.15 else Decimal(0)
    payment = ledger.pay(invoice, ledger.today, part or invoice.balance)
    raw.execute(SETTLE, [payment.amount, ledger.tenant_id, invoice.invoice_id])
    what = f"{_client_name(ledger, invoice.client_id)} {'pays in part' if part else 'pays'}"
    return _action(ledger, "payment", what, payment.amount, payment.currency)


def _spend(_: Connection[Any], ledger: Ledger, chance: Random) -> Action:
    cost = chance.choice([SUNDRIES, *(cost for cost in COSTS if not cost.contract)])
    units = min(cost.units, Decimal("0.3")) * Decimal(chance.randint(50, 120)) / 100
    expense = ledger.expense(ledger.today, units, cost.category, cost.vendor, net_days=cost.net_days, taxed=cost.taxed)
    return _action(ledger, "expense", f"{cost.vendor}, {cost.category}", expense.total, expense.currency)


def _accept(raw: Connection[Any], ledger: Ledger, chance: Random) -> Action:
    """The oldest open quote is accepted; a new one is sent when there is none."""
    found = raw.execute(ACCEPT_QUOTE, {"tenant": ledger.tenant_id, "today": ledger.today}).fetchone()
    if found is None:
        return _offer(raw, ledger, chance)
    client_id, currency, total = found
    return _action(ledger, "quote", f"{_client_name(ledger, client_id)} accepts a quote", total, currency)


def _offer(_: Connection[Any], ledger: Ledger, chance: Random) -> Action:
    quote = ledger.quote(ledger.today, chance.choice(SIZES) * 2, usual_client(ledger, chance), "sent")
    return _action(ledger, "quote", f"offered to {_client_name(ledger, quote.client_id)}", quote.total, quote.currency)


def _action(ledger: Ledger, kind: str, what: str, amount: Decimal, currency: str) -> Action:
    amount = in_cents(amount, currency)
    return Action(
        kind=kind, tenant_id=ledger.tenant_id, what=what, amount=amount, currency=currency, at=datetime.now(UTC)
    )


def _client_name(ledger: Ledger, client_id: str | None) -> str:
    return next((client.name for client in ledger.books.clients if client.client_id == client_id), "somebody")


Result = TypeVar("Result")


def _commit(engine: Engine, work: Callable[[Connection[Any]], Result]) -> Result:
    with engine.begin() as connection:
        return work(raw_connection(connection))


def _require(engine: Engine, tenants: Sequence[str]) -> None:
    query = "SELECT tenant_id FROM dashboard.tenant WHERE tenant_id = ANY(%s)"
    loaded = {row[0] for row in _commit(engine, lambda raw: raw.execute(query, [list(tenants)]).fetchall())}
    missing = [tenant_id for tenant_id in tenants if tenant_id not in loaded or tenant_id not in BUSINESSES]
    if missing or not tenants:
        raise DemoNotLoaded(f"not a made-up tenant in the database: {', '.join(missing) or 'none named'}")
