"""Reads the documents behind a number, in one state of the database: those of now, or of the time before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from shared.currency import exponent
from shared.receipts import Question
from workers.facts import Clock, Recurring, Tenant
from workers.kpi.days import Period
from workers.receipts import balances, flows
from workers.receipts.balances import Links
from workers.receipts.changes import Listed
from workers.receipts.days import days_before, days_of
from workers.receipts.document import Document, in_order, of_creditors
from workers.receipts.forecast import lessened, occurrences, opening
from workers.source.batch import refuse_nonsense
from workers.source.books import Books
from workers.source.columns import Missing, with_nulls

_EARNED = frozenset({"daily-revenue", "revenue", "profit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One state of the database, in which a tenant's documents are read.

    links: how what is open and left over is found out. before: those that the question's are compared with, of a balance as
    yesterday ended.
    """

    connection: Connection
    missing: Missing
    tenant: Tenant
    clock: Clock
    books: Books
    links: Links
    question: Question
    before: bool = False

    @property
    def days(self) -> Period:
        """The days that the documents are of."""
        return (days_before if self.before else days_of)(self.question, self.tenant, self.clock.today)

    def listed(self) -> Listed:
        """All documents, and what they come to."""
        documents = in_order(_documents(self))
        is_known = _is_known(self, documents)
        if self.question.number == "customer-credit":
            documents = of_creditors(documents)
        converted = (one.base_amount for one in documents if one.base_amount is not None)
        return Listed(documents=documents, total=sum(converted, Decimal()) if is_known else None)

    def documents(self, sql: str) -> list[Document]:
        """What a statement of flows.py or balances.py finds."""
        rows = self.ask(sql)
        names = tuple(rows.keys())
        found = [Document(**dict(zip(names, row, strict=True))) for row in rows.all()]
        for one in found:
            refuse_nonsense(self.tenant.tenant_id, one.amount, one.base_amount)
        return found

    def ask(self, sql: str) -> Any:
        """Carry the statement out."""
        days, question, tenant = self.days, self.question, self.tenant
        asked = {
            "tenant_id": tenant.tenant_id,
            "today": self.clock.today,
            "base": tenant.base_currency,
            "places": exponent(tenant.base_currency),
            "on_cash": tenant.basis == "cash",
            "cash_balance_on": None if tenant.cash_balance is None else tenant.cash_balance_on,
            "first": days.first,
            "last": days.last,
            "client_id": question.client_id,
            "category": question.category,
            "currency": question.currency,
        }
        return self.connection.execute(text(with_nulls(sql, self.missing)), asked)


def _documents(reading: Reading) -> list[Document]:
    number, on_cash = reading.question.number, reading.tenant.basis == "cash"
    bucket = reading.question.bucket
    owed = partial(balances.owed, links=reading.links, at_close=reading.before)
    statements: Mapping[str, Callable[[], str]] = {
        "daily-revenue": lambda: flows.revenue(on_cash=on_cash),
        "revenue": lambda: flows.revenue(on_cash=on_cash),
        "daily-expenses": lambda: flows.expenses(on_cash=on_cash),
        "expenses": lambda: flows.expenses(on_cash=on_cash),
        "profit": lambda: flows.revenue(on_cash=on_cash, negative_costs=True),
        "money-in": flows.money_in,
        "money-out": flows.money_out,
        "cash-flow": flows.cash_flow,
        "pending-invoices": lambda: owed(late=False),
        "overdue-invoices": lambda: owed(late=True, bucket=bucket),
        "outstanding": lambda: owed(bucket=bucket),
        "quote-conversion": flows.decided_quotes,
        "client-activity": flows.activity,
        "customer-credit": lambda: balances.customer_credit(links=reading.links),
    }
    if number == "forecast":
        return list(_forecast(reading))
    return reading.documents(statements[number]())


def _forecast(reading: Reading) -> Iterator[Document]:
    # What a vendor credit is used for is decided over all currencies, as it is for the number.
    currency = reading.question.currency
    whole = replace(reading, question=msgspec.structs.replace(reading.question, currency=None))
    return (one for one in _expected(whole) if currency in (None, one.currency))


def _expected(reading: Reading) -> Iterator[Document]:
    yield from opening(reading.tenant, reading.clock.today, reading.documents(balances.carried()))
    yield from reading.documents(balances.incoming(links=reading.links))
    yield from lessened(in_order(reading.documents(balances.outgoing())))
    for row in reading.ask(balances.TEMPLATES).mappings():
        fields = {name: row[name] for name in Recurring.__struct_fields__}
        yield from occurrences(Recurring(**fields), row["recurring_id"], reading.clock.today)


def _is_known(reading: Reading, documents: list[Document]) -> bool:
    """Whether the number is: not where documents are there and none converts, or nothing says what paid for what."""
    number, links_known = reading.question.number, reading.books.links_known
    on_cash = reading.tenant.basis == "cash"
    if not links_known and (number == "customer-credit" or (on_cash and number in _EARNED)):
        return False
    if number == "forecast":
        return True
    if number == "profit":
        costs = [one for one in documents if one.kind == "expense"]
        earned = [one for one in documents if one.kind != "expense"]
        return _converts(costs) and (_converts(earned) or (on_cash and _has_more_earned(reading)))
    return _converts(documents) or (on_cash and number in _EARNED and _has_more_earned(reading))


def _converts(documents: list[Document]) -> bool:
    return not documents or any(one.base_amount is not None for one in documents)


def _has_more_earned(reading: Reading) -> bool:
    return bool(reading.documents(flows.paid_for_nothing()))
