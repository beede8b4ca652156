"""The cash of the coming 30 days: what is expected in and out, day by day. Source: SPEC 4, Overview blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from shared.currency import exponent
from shared.snapshot import ForecastDay, Unconverted
from workers.facts import Recurring, TenantFacts
from workers.kpi.days import Period, yesterday
from workers.kpi.money import ZERO, finite, money, rounded, rounded_or_none
from workers.kpi.occurrences import occurrences
from workers.kpi.totals import Total, summed

FORECAST_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Expected money in and out (both positive) by day; credits: what vendor credits without a rate would lessen.

    opening: what the accounts held at the end of yesterday, and the documents of the way there; None = not known.
    """

    inflow: dict[date, Total]
    outflow: dict[date, Total]
    credits: Total = field(default_factory=Total)
    opening: Total | None = None

    def left_out(self) -> tuple[Unconverted, ...]:
        """What has no rate: money in as it is, money out with a minus."""
        outgoing = [total for total in (*self.outflow.values(), self.credits) if total.lacking]
        incoming = [total for total in (*self.inflow.values(), self.opening) if total and total.lacking]
        return summed([*incoming, *(total.negative() for total in outgoing)]).left_out.listed()


def forecast_period(today: date) -> Period:
    """The thirty days that begin with today."""
    return Period(today, today + timedelta(days=FORECAST_DAYS - 1))


def forecast(facts: TenantFacts) -> Forecast:
    """What is expected. Raises ValueError for an amount that is no number."""
    days = forecast_period(facts.clock.today).days()
    expected = Forecast(
        inflow={day: Total() for day in days}, outflow={day: Total() for day in days}, opening=_opening(facts)
    )
    for group in facts.incoming:
        expected.inflow[group.day].add(group.amount, group.documents, no_rate=group.no_rate, again=group.again)
    _add_payables(facts, expected)
    for template in facts.recurring:
        side = expected.inflow if template.kind == "invoice" else expected.outflow
        for day in expected_days(template, facts.clock.today):
            side[day].add_balance(template.base, template.amount, template.currency, 1)
    return expected


def cash_forecast(expected: Forecast, currency: str) -> tuple[ForecastDay, ...]:
    """Thirty days with the running sum, which starts from the opening balance where there is one."""
    return tuple(_with_running_sum(expected, currency))


def opening_balance(expected: Forecast, currency: str) -> Decimal | None:
    """What the accounts held at the end of yesterday, as far as it can be converted; None = not known."""
    return None if expected.opening is None else money(expected.opening.amount, currency)


def expected_days(template: Recurring, today: date) -> Iterator[date]:
    """The days of the coming thirty on which the template moves money; a missed occurrence comes once, today.

    What a document of the template dated on or after it stands for is no occurrence any more. An invoice is paid when
    its terms are over. Raises ValueError for an interval that does not step forward.
    """
    period = forecast_period(today)
    first = template.next_on
    if template.newest_document is not None:
        first = max(first, template.newest_document + timedelta(days=1))
    coming = occurrences(template, Period(max(first, today), period.last))
    if next(occurrences(template, Period(first, yesterday(today))), None) is not None:
        coming = iter([today, *coming])
    delay = timedelta(days=template.terms_days if template.kind == "invoice" else 0)
    yield from (day + delay for day in coming if day + delay in period)


def _add_payables(facts: TenantFacts, expected: Forecast) -> None:
    """What is owed to vendors, less their credits: the earliest day first, and never below 0."""
    credits: dict[str, Decimal] = {}
    for group in facts.payables:
        if group.day is not None or group.vendor is None:
            continue
        if group.no_rate is not None:
            expected.credits.add(group.amount, group.documents, no_rate=group.no_rate)
        else:
            credits[group.vendor] = credits.get(group.vendor, ZERO) - finite(group.amount)
    owed = [(group.day, group) for group in facts.payables if group.day is not None]
    for day, group in sorted(owed, key=lambda item: item[0]):
        amount = finite(group.amount)
        if group.vendor is not None and group.no_rate is None:
            lessened = min(credits.get(group.vendor, ZERO), amount)
            credits[group.vendor] = credits.get(group.vendor, ZERO) - lessened
            amount -= lessened
        expected.outflow[day].add(amount, group.documents, no_rate=group.no_rate)


def _opening(facts: TenantFacts) -> Total | None:
    """The host's cash balance, carried to the end of yesterday by the cash flow between."""
    tenant = facts.tenant
    if tenant.cash_balance is None or tenant.cash_balance_on is None:
        return None
    flow = Total()
    for group in facts.cash_since:
        flow.add(group.amount, group.documents, no_rate=group.no_rate)
    carried = flow.negative() if tenant.cash_balance_on >= facts.clock.today else flow
    carried.amount += finite(tenant.cash_balance)
    return carried


def _with_running_sum(expected: Forecast, currency: str) -> Iterator[ForecastDay]:
    places = exponent(currency)
    cumulative = expected.opening.amount if expected.opening else ZERO
    for day, money_in in expected.inflow.items():
        money_out = expected.outflow[day]
        cumulative += money_in.amount - money_out.amount
        yield ForecastDay(
            date=day,
            inflow=rounded_or_none(money_in.value, places),
            outflow=rounded_or_none(money_out.value, places),
            cumulative=rounded(cumulative, places),
        )
