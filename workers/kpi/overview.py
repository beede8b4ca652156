"""The long form of the dashboard: receivables, series, clients, forecast, quotes, expenses. Source: SPEC 4 and 6."""

from __future__ import annotations

from datetime import datetime

from shared.currency import exponent
from shared.snapshot import (
    BUCKETS,
    AgeingBucket,
    CurrencyAmount,
    HistoryDay,
    LeftOut,
    Overview,
    QuotesOverview,
    SeriesDay,
    Unconverted,
    instant,
)
from shared.snapshot import Receivables as ReceivablesOverview
from workers.facts import TenantFacts
from workers.kpi.clients import by_client, top_clients
from workers.kpi.days import trailing
from workers.kpi.debtors import customer_credit, debtors
from workers.kpi.expenses import by_category, expense_categories
from workers.kpi.forecast import cash_forecast, forecast, opening_balance
from workers.kpi.money import (
    PERCENT_PLACES,
    RATIO_PLACES,
    all_rounded,
    money,
    money_or_none,
    quotient_or_none,
    rounded_or_none,
)
from workers.kpi.periods import month_list, months_left_out, period_sums, periods
from workers.kpi.quotes import Quotes
from workers.kpi.sums import Sums
from workers.kpi.totals import Total, summed

SERIES_DAYS = 30
DSO_PLACES = PERCENT_PLACES


def overview(facts: TenantFacts, sums: Sums, *, computed_at: datetime) -> Overview:
    """Everything beside the eight metrics. Raises ValueError for an amount that is no number."""
    tenant, base = facts.tenant, facts.tenant.base_currency
    credit, expected = customer_credit(facts), forecast(facts)
    past = period_sums(facts, sums)
    earned, spent = by_client(facts), by_category(facts)
    return Overview(
        user_id=tenant.tenant_id,
        as_of=instant(facts.clock.as_of),
        computed_at=instant(computed_at),
        currency=base,
        timezone=tenant.timezone,
        basis=tenant.basis,
        receivables=_receivables(facts, sums, credit),
        series=_series(facts, sums),
        history=_history(facts),
        top_clients=top_clients(facts, earned),
        opening_balance=opening_balance(expected, base),
        cash_forecast=cash_forecast(expected, base),
        quotes=_quotes(sums.quotes, base),
        expense_categories=expense_categories(spent, base),
        periods=periods(facts, past),
        months=month_list(facts, past),
        periods_as_of=None if facts.kept_as_of is None else instant(facts.kept_as_of),
        unconverted=LeftOut(
            receivables=sums.receivables.open.left_out.listed(),
            customer_credit=credit.left_out.listed(),
            series=_series_left_out(facts, sums),
            top_clients=earned.left_out(),
            cash_forecast=expected.left_out(),
            quotes=sums.quotes.open.left_out.listed(),
            expense_categories=spent.left_out(),
            months=months_left_out(facts, past),
        ),
    )


def _receivables(facts: TenantFacts, sums: Sums, credit: Total) -> ReceivablesOverview:
    now, base = sums.receivables, facts.tenant.base_currency
    return ReceivablesOverview(
        outstanding=money_or_none(now.open.value, base),
        customer_credit=money_or_none(credit.value, base),
        dso_days=quotient_or_none(sums.dso.days, DSO_PLACES),
        ageing=tuple(
            AgeingBucket(
                bucket=bucket,
                count=now.buckets.count(bucket),
                amount=money_or_none(now.buckets.value(bucket), base),
            )
            for bucket in BUCKETS
        ),
        by_currency=tuple(
            CurrencyAmount(currency=currency, amount=money(amount, currency))
            for currency, amount in sorted(now.by_currency.items())
        ),
        debtors=debtors(facts, now.balances),
        unconverted=now.open.left_out.listed(),
    )


def _series(facts: TenantFacts, sums: Sums) -> tuple[SeriesDay, ...]:
    places = exponent(facts.tenant.base_currency)
    period = trailing(facts.clock.today, SERIES_DAYS)
    flows = [all_rounded(flow.values(period), places) for flow in (sums.revenue, sums.expenses, sums.cash.net)]
    return tuple(
        SeriesDay(date=day, revenue=revenue, expenses=expenses, cash=cash)
        for day, revenue, expenses, cash in zip(period.days(), *flows, strict=True)
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
        conversion=quotient_or_none(now.conversion, RATIO_PLACES),
    )


def _series_left_out(facts: TenantFacts, sums: Sums) -> tuple[Unconverted, ...]:
    """Of the three numbers together, each as it counts: a document that is in two of them is in here twice."""
    period = trailing(facts.clock.today, SERIES_DAYS)
    flows = (sums.revenue, sums.expenses, sums.cash.net)
    return summed([total for flow in flows for total in flow.lacking(period)]).left_out.listed()
