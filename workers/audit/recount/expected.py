"""What the dashboard of one tenant must show at one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from sqlalchemy import Connection, Engine

from shared.currency import exponent
from shared.snapshot import BUCKETS, Level
from shared.thresholds import AlertThresholds
from workers.audit.recount.alerts import alerts
from workers.audit.recount.balances import OpenInvoice, customer_credit, open_invoices
from workers.audit.recount.books import DAY, Books, open_books
from workers.audit.recount.flows import cash_flow, expenses, revenue
from workers.audit.recount.items import Item, Unconverted, rounded, total, unconverted
from workers.audit.recount.metrics import Metric, metrics
from workers.audit.recount.score import DAYS_PLACES, Score, dso_days, score

SERIES_DAYS = 30
DEFAULT_THRESHOLDS = AlertThresholds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ageing:
    """Open invoices of one bucket."""

    count: int
    amount: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyAmount:
    """What is owed in one currency."""

    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivables:
    """What clients owe now."""

    outstanding: Decimal | None
    customer_credit: Decimal | None
    dso_days: Decimal | None
    ageing: Mapping[str, Ageing]
    by_currency: Mapping[str, CurrencyAmount]
    unconverted: Mapping[str, Unconverted]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDay:
    """The flows of one local day."""

    revenue: Decimal | None
    expenses: Decimal | None
    cash: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Everything of a snapshot and its overview that SPEC 4 fixes; lists are mappings by what names their members.

    alerts: (level, metric) of every rule that holds, sorted.
    """

    state: Literal["ok", "no_data"]
    local_date: date
    score: Score
    metrics: Mapping[str, Metric]
    alerts: Sequence[tuple[Level, str]]
    receivables: Receivables
    series: Mapping[str, SeriesDay]


def expected(
    source: Connection | Engine, tenant_id: str, *, now: datetime, thresholds: AlertThresholds = DEFAULT_THRESHOLDS
) -> Expected:
    """Compute one tenant from all of its rows as they are at this instant, for the moment `now` (the snapshot's as_of).

    `thresholds`: where alert rules begin unless the tenant has its own.

    An engine reads them in one REPEATABLE READ transaction; a connection in the one it is in. Raises LookupError when
    there is no such tenant.
    """
    if isinstance(source, Engine):
        with source.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            return expected(connection, tenant_id, now=now, thresholds=thresholds)
    books = open_books(source, tenant_id, now)
    owed = open_invoices(books)
    by_name = metrics(books, owed)
    return Expected(
        state="ok" if books.have_documents else "no_data",
        local_date=books.today,
        score=score(books, owed),
        metrics=by_name,
        alerts=alerts(books, by_name, owed, thresholds),
        receivables=_receivables(books, owed),
        series=_series(books),
    )


def _receivables(books: Books, owed: Sequence[OpenInvoice]) -> Receivables:
    items = [invoice.item for invoice in owed]
    by_currency: dict[str, Fraction] = defaultdict(Fraction)
    for item in items:
        by_currency[item.currency] += item.amount
    dso = dso_days(books, owed)
    return Receivables(
        outstanding=_money(books, total(items)),
        customer_credit=_money(books, customer_credit(books)),
        dso_days=None if dso is None else rounded(dso, DAYS_PLACES),
        ageing={
            bucket: _ageing(books, [invoice.item for invoice in owed if invoice.bucket == bucket]) for bucket in BUCKETS
        },
        by_currency={
            currency: CurrencyAmount(amount=rounded(amount, exponent(currency)))
            for currency, amount in by_currency.items()
        },
        unconverted=unconverted(items),
    )


def _ageing(books: Books, items: Sequence[Item]) -> Ageing:
    return Ageing(count=len(items), amount=_money(books, total(items)))


def _series(books: Books) -> dict[str, SeriesDay]:
    days = [books.today - ago * DAY for ago in reversed(range(SERIES_DAYS))]
    return {
        day.isoformat(): SeriesDay(
            revenue=_money(books, total(revenue(books, day, day))),
            expenses=_money(books, total(expenses(books, day, day))),
            cash=_money(books, total(cash_flow(books, day, day))),
        )
        for day in days
    }


def _money(books: Books, amount: Fraction | None) -> Decimal | None:
    return None if amount is None else rounded(amount, exponent(books.base))
