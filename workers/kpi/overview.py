"""The long form of the dashboard: receivables, series, clients, forecast, quotes, expenses. Source: SPEC 6, overview."""

from __future__ import annotations

from datetime import datetime

from shared.snapshot import (
    BUCKETS,
    AgeingBucket,
    CurrencyAmount,
    ExpenseCategory,
    HistoryDay,
    Overview,
    QuotesOverview,
    SeriesDay,
    instant,
)
from shared.snapshot import Receivables as ReceivablesOverview
from workers.facts import TenantFacts
from workers.kpi.clients import top_clients
from workers.kpi.days import trailing
from workers.kpi.expenses import expense_groups
from workers.kpi.forecast import cash_forecast
from workers.kpi.money import PERCENT_PLACES, RATIO_PLACES, Converter, money, money_or_none, rounded_or_none
from workers.kpi.quotes import Quotes
from workers.kpi.ranking import shares
from workers.kpi.receivables import Receivables
from workers.kpi.sums import Sums
from workers.kpi.totals import Total

SERIES_DAYS = 30
CATEGORY_DAYS = 30
DSO_PLACES = PERCENT_PLACES


def overview(facts: TenantFacts, sums: Sums, *, computed_at: datetime) -> Overview:
    """Everything beside the eight metrics, rounded for the wire."""
    tenant, converter = facts.tenant, sums.converter
    return Overview(
        user_id=tenant.tenant_id,
        as_of=instant(facts.clock.as_of),
        computed_at=instant(computed_at),
        currency=tenant.base_currency,
        timezone=tenant.timezone,
        basis=tenant.basis,
        receivables=_receivables(sums.receivables, converter.base),
        series=_series(facts, sums),
        history=_history(facts),
        top_clients=top_clients(facts, converter),
        cash_forecast=cash_forecast(facts, converter),
        quotes=_quotes(sums.quotes, converter.base),
        expense_categories=_expense_categories(facts, converter),
    )


def _receivables(now: Receivables, base: str) -> ReceivablesOverview:
    return ReceivablesOverview(
        outstanding=money_or_none(now.open.value, base),
        customer_credit=money_or_none(now.customer_credit, base),
        dso_days=rounded_or_none(now.dso_days, DSO_PLACES),
        ageing=tuple(
            AgeingBucket(
                bucket=bucket,
                count=now.buckets[bucket].documents,
                amount=money_or_none(now.buckets[bucket].value, base),
            )
            for bucket in BUCKETS
        ),
        by_currency=tuple(
            CurrencyAmount(currency=currency, amount=money(amount, currency))
            for currency, amount in sorted(now.by_currency.items())
        ),
        unconverted=now.pending_left_out.plus(now.overdue_left_out).listed(),
    )


def _series(facts: TenantFacts, sums: Sums) -> tuple[SeriesDay, ...]:
    base = facts.tenant.base_currency
    return tuple(
        SeriesDay(
            date=day,
            revenue=money_or_none(sums.revenue.value(day), base),
            expenses=money_or_none(sums.expenses.value(day), base),
            cash=money_or_none(sums.cash.net.value(day), base),
        )
        for day in trailing(facts.clock.today, SERIES_DAYS).days()
    )


def _history(facts: TenantFacts) -> tuple[HistoryDay, ...]:
    """The kept closes of the days that the series shows; today's is not a close yet."""
    today = facts.clock.today
    period = trailing(today, SERIES_DAYS)
    return tuple(
        HistoryDay(
            date=close.day,
            pending=close.pending,
            overdue=close.overdue,
            conversion=rounded_or_none(close.conversion, RATIO_PLACES),
            active_clients=close.active_clients,
        )
        for close in sorted(facts.closes, key=lambda close: close.day)
        if close.day in period and close.day != today
    )


def _quotes(now: Quotes, base: str) -> QuotesOverview:
    return QuotesOverview(
        open_count=now.open.documents,
        open_amount=money_or_none(now.open.value, base),
        won=now.won,
        lost=now.lost,
        conversion=rounded_or_none(now.conversion, RATIO_PLACES),
    )


def _expense_categories(facts: TenantFacts, converter: Converter) -> tuple[ExpenseCategory, ...]:
    """The ten categories with the highest expenses of the trailing 30 days, on the tenant's basis."""
    period = trailing(facts.clock.today, CATEGORY_DAYS)
    by_category: dict[str | None, Total] = {}
    for group in expense_groups(facts):
        if group.day in period:
            converted = converter.flow(group.net, group.currency, group.day)
            by_category.setdefault(group.category, Total()).add(converted, group.documents)
    return tuple(
        ExpenseCategory(
            category=category,
            amount=money(amount, converter.base),
            share=rounded_or_none(share, RATIO_PLACES),
            documents=documents,
        )
        for category, amount, share, documents in shares(by_category)
    )
