"""The cash of the coming 30 days: what is expected in and out, day by day. Source: SPEC 4, Overview blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from shared.currency import exponent
from shared.snapshot import ForecastDay, Unconverted
from workers.facts import Recurring, TenantFacts
from workers.kpi.days import Period, yesterday
from workers.kpi.money import ZERO, all_rounded, finite, money, rounded
from workers.kpi.occurrences import occurrences
from workers.kpi.totals import Entry, Total, Totals, summed, worth

FORECAST_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Expected money in and out (both positive) by day; credits: what vendor credits without a rate would lessen.

    opening: what the accounts held at the end of yesterday, and the documents of the way there; None = not known.
    """

    days: Sequence[date]
    inflow: Totals[date] = field(default_factory=Totals)
    outflow: Totals[date] = field(default_factory=Totals)
    credits: Total = field(default_factory=Total)
    opening: Total | None = None

    def left_out(self) -> tuple[Unconverted, ...]:
        """What has no rate: money in as it is, money out with a minus."""
        incoming = [*self.inflow.lacking.values(), *([self.opening] if self.opening else [])]
        outgoing = [*self.outflow.lacking.values(), self.credits]
        return summed([*incoming, *(total.negative() for total in outgoing)]).left_out.listed()


def forecast_period(today: date) -> Period:
    """The thirty days that begin with today."""
    return Period(today, today + timedelta(days=FORECAST_DAYS - 1))


def forecast(facts: TenantFacts) -> Forecast:
    """What is expected. Raises ValueError for an amount that is no number."""
    expected = Forecast(days=forecast_period(facts.clock.today).days(), opening=_opening(facts))
    for group in facts.incoming:
        if group.no_rate is not None:
            missing = expected.inflow.lacking_of(group.day)
            missing.add(group.amount, group.documents, no_rate=group.no_rate, again=group.again)
    expected.inflow.add((g.day, None, g.amount, g.documents, 0) for g in facts.incoming if g.no_rate is None)
    expected.outflow.add(_payables(facts, expected.credits))
    for template in facts.recurring:
        side = expected.inflow if template.kind == "invoice" else expected.outflow
        side.add((day, *worth(template), 1, 0) for day in expected_days(template, facts.clock.today))
    return expected


def cash_forecast(expected: Forecast, currency: str) -> tuple[ForecastDay, ...]:
    """Thirty days with the running sum, which starts from the opening balance where there is one."""
    days, places = expected.days, exponent(currency)
    inflow = all_rounded(expected.inflow.values_of(days), places)
    outflow = all_rounded(expected.outflow.values_of(days), places)
    sums = _running_sum(expected, places)
    return tuple(
        [
            ForecastDay(date=day, inflow=incoming, outflow=outgoing, cumulative=cumulative)
            for day, incoming, outgoing, cumulative in zip(days, inflow, outflow, sums, strict=True)
        ]
    )


def _running_sum(expected: Forecast, places: int) -> list[Decimal]:
    """What there is at the end of each day, as it is shown; it is rounded anew only where money moves."""
    incoming, outgoing = expected.inflow.amounts, expected.outflow.amounts
    cumulative = expected.opening.amount if expected.opening else ZERO
    shown = rounded(cumulative, places)
    found = []
    for day in expected.days:
        if day in incoming or day in outgoing:
            cumulative += incoming.get(day, ZERO) - outgoing.get(day, ZERO)
            shown = rounded(cumulative, places)
        found.append(shown)
    return found


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


def _payables(facts: TenantFacts, without_rate: Total) -> Iterator[Entry[date]]:
    """What is owed to vendors, less their credits: the earliest day first, and never below 0.

    without_rate: where credits that have none are added.
    """
    credits: dict[str, Decimal] = {}
    for group in facts.payables:
        if group.day is not None or group.vendor is None:
            continue
        if group.no_rate is not None:
            without_rate.add(group.amount, group.documents, no_rate=group.no_rate)
        else:
            credits[group.vendor] = credits.get(group.vendor, ZERO) - finite(group.amount)
    owed = [(group.day, group) for group in facts.payables if group.day is not None]
    for day, group in sorted(owed, key=lambda item: item[0]):
        amount = finite(group.amount)
        if group.vendor is not None and group.no_rate is None:
            lessened = min(credits.get(group.vendor, ZERO), amount)
            credits[group.vendor] = credits.get(group.vendor, ZERO) - lessened
            amount -= lessened
        yield day, group.no_rate, amount, group.documents, 0


def _opening(facts: TenantFacts) -> Total | None:
    """The host's cash balance, carried to the end of yesterday by the cash flow between."""
    tenant = facts.tenant
    if tenant.cash_balance is None or tenant.cash_balance_on is None:
        return None
    flow = Total()
    flow.add_all((group.no_rate, group.amount, group.documents, 0) for group in facts.cash_since)
    carried = flow.negative() if tenant.cash_balance_on >= facts.clock.today else flow
    carried.amount += finite(tenant.cash_balance)
    return carried
