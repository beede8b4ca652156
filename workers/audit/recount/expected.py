"""What the dashboard of one tenant must show at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection, Engine

from shared.snapshot import Level
from shared.thresholds import AlertThresholds
from workers.audit.recount.alerts import alerts
from workers.audit.recount.books import Row, open_books, read_rows
from workers.audit.recount.fates import ledger_of
from workers.audit.recount.forecast import ForecastDay, forecast
from workers.audit.recount.history import months, named_periods
from workers.audit.recount.issues import missing_rates
from workers.audit.recount.metrics import Metric, metrics
from workers.audit.recount.overview import (
    ExpenseCategory,
    Quotes,
    SeriesDay,
    TopClient,
    expense_categories,
    left_out_of_blocks,
    quotes,
    series,
    top_clients,
)
from workers.audit.recount.periods import Periods
from workers.audit.recount.postings import LeftOut
from workers.audit.recount.receivables import Receivables, receivables
from workers.audit.recount.score import Score, score

DEFAULT_THRESHOLDS = AlertThresholds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Everything of a snapshot and its overview that SPEC 4 fixes. Lists whose order means something are sequences, the
    others mappings by what names their members.

    alerts: (level, metric) of every rule that holds, sorted. missing_rates: by currency, since when.
    """

    state: Literal["ok", "no_data"]
    local_date: date
    score: Score
    metrics: Mapping[str, Metric]
    alerts: Sequence[tuple[Level, str]]
    missing_rates: Mapping[str, date]
    receivables: Receivables
    series: Mapping[str, SeriesDay]
    top_clients: Sequence[TopClient]
    opening_balance: Decimal | None
    cash_forecast: Mapping[str, ForecastDay]
    quotes: Quotes
    expense_categories: Sequence[ExpenseCategory]
    unconverted: Mapping[str, LeftOut]
    periods: Sequence[Mapping[str, Any]]
    months: Sequence[Mapping[str, Any]]


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
    rows = read_rows(source, tenant_id)
    if not rows["tenant"]:
        raise LookupError(f"no tenant {tenant_id!r}")
    return expected_of_rows(rows, now=now, thresholds=thresholds)


def expected_of_rows(
    rows: Mapping[str, Sequence[Row]], *, now: datetime, thresholds: AlertThresholds = DEFAULT_THRESHOLDS
) -> Expected:
    """The same from rows by table, those of one tenant and the rates of everyone."""
    books = open_books(rows, now)
    ledger = ledger_of(books)
    periods = Periods(books=books, ledger=ledger)
    by_name = metrics(periods)
    coming = forecast(periods)
    return Expected(
        state="ok" if books.have_documents else "no_data",
        local_date=books.today,
        score=score(periods),
        metrics=by_name,
        alerts=alerts(periods, by_name, thresholds),
        missing_rates=missing_rates(periods, coming),
        receivables=receivables(books, ledger),
        series=series(periods),
        top_clients=top_clients(books, ledger),
        opening_balance=coming.opening_balance,
        cash_forecast=coming.days,
        quotes=quotes(books, ledger),
        expense_categories=expense_categories(periods),
        unconverted=left_out_of_blocks(periods, coming),
        periods=named_periods(periods),
        months=months(periods),
    )
