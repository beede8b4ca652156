"""What each period came to: the flows of the last days, and what is kept of those before. Source: SPEC 4, Overview blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from weakref import WeakKeyDictionary

from shared.currency import exponent
from shared.snapshot import ChangePercent, Month, NamedPeriod, PeriodNumbers, Unconverted
from workers.facts import KeptPast, TenantFacts
from workers.kpi.days import Period
from workers.kpi.money import all_rounded
from workers.kpi.profit import difference
from workers.kpi.running import Adding, Running
from workers.kpi.sums import Sums
from workers.kpi.totals import Total, summed
from workers.kpi.trend import change_percent
from workers.kpi.windows import Calendar, Span, calendar, first_live_day

Value = Decimal | None


class Numbers(NamedTuple):
    """The six numbers of a period, rounded; None = documents there, none convertible, or not known."""

    revenue: Value
    expenses: Value
    profit: Value
    money_in: Value
    money_out: Value
    cash_flow: Value


NUMBERS = Numbers._fields
_Lacking = Mapping[str, Total]
_Asked = tuple[Calendar, int, bool]
_added_up: WeakKeyDictionary[KeptPast, tuple[_Asked, tuple[Adding, ...]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodSums:
    """The four flows that every number of a period is made of. money_out is positive. are_plain: as each of them says."""

    revenue: Running
    expenses: Running
    money_in: Running
    money_out: Running
    places: int
    are_plain: bool

    @property
    def flows(self) -> tuple[Running, ...]:
        return self.revenue, self.expenses, self.money_in, self.money_out

    def numbers(self, span: Span) -> Numbers:
        """What the span came to."""
        if self.are_plain:
            return self._plain_numbers(span)
        revenue, expenses = self.revenue.value(span), self.expenses.value(span)
        money_in, money_out = self.money_in.value(span), self.money_out.value(span)
        cash_flow = difference(money_in, money_out)
        if cash_flow is None and (self.money_in.converts(span) or self.money_out.converts(span)):
            # One side alone is something, as on any day.
            cash_flow = self.money_in.amount(span) - self.money_out.amount(span)
        found = (revenue, expenses, difference(revenue, expenses), money_in, money_out, cash_flow)
        return Numbers._make(all_rounded(found, self.places))

    def _plain_numbers(self, span: Span) -> Numbers:
        """The same where nothing is left out and nothing has to be rounded: a dashboard has nearly fifty periods."""
        revenue, expenses = self.revenue.amount(span), self.expenses.amount(span)
        money_in, money_out = self.money_in.amount(span), self.money_out.amount(span)
        return Numbers(revenue, expenses, revenue - expenses, money_in, money_out, money_in - money_out)

    def lacking(self, span: Span) -> _Lacking:
        """What each number leaves out of the span, by number; those that leave out nothing are missing."""
        if self.are_plain or not any(flow.lacking for flow in self.flows):
            return {}
        revenue, expenses, money_in, money_out = (flow.lacks(span) for flow in self.flows)
        found = {
            "revenue": revenue,
            "expenses": expenses,
            "profit": [*revenue, *_negative(expenses)],
            "money_in": money_in,
            "money_out": money_out,
            "cash_flow": [*money_in, *_negative(money_out)],
        }
        return {name: summed(totals) for name, totals in found.items() if totals}


def period_sums(facts: TenantFacts, sums: Sums) -> PeriodSums:
    """The flows of all periods. Raises ValueError for an amount that is no number."""
    today, on_cash = facts.clock.today, facts.tenant.basis == "cash"
    windows = calendar(today, facts.tenant.fiscal_year_start_month)
    places = exponent(facts.tenant.base_currency)
    revenue, expenses, money_in, money_out = (
        flow.copy() for flow in _past(facts.kept, windows, places, on_cash=on_cash)
    )
    live = first_live_day(today)
    revenue.add_days(sums.revenue, live, today)
    expenses.add_days(sums.expenses, live, today)
    money_in.add_days(sums.cash.money_in, live, today)
    money_out.add_days(sums.cash.money_out, live, today, negative=True)
    flows = (
        revenue.running(known=sums.revenue.known),
        expenses.running(known=sums.expenses.known),
        money_in.running(known=True),
        money_out.running(known=True),
    )
    return PeriodSums(
        revenue=flows[0],
        expenses=flows[1],
        money_in=flows[2],
        money_out=flows[3],
        places=places,
        are_plain=all(flow.is_plain for flow in flows),
    )


def _past(kept: KeptPast, windows: Calendar, places: int, *, on_cash: bool) -> tuple[Adding, ...]:
    """The kept days added up: the same for each computation of a day, as long as nobody has made them anew."""
    asked = (windows, places, on_cash)
    known = _added_up.get(kept)
    if known is None or known[0] != asked:
        known = _added_up[kept] = (asked, _add_up(kept, windows, places, on_cash=on_cash))
    return known[1]


def _add_up(kept: KeptPast, windows: Calendar, places: int, *, on_cash: bool) -> tuple[Adding, ...]:
    revenue, expenses, money_in, money_out = flows = tuple(Adding(windows, places) for _ in range(4))
    for past in kept.totals:
        place, no_rate = windows.place(past.first), past.no_rate
        if place < 0:
            continue
        revenue.add(place, past.revenue, past.revenue_documents, no_rate, in_part=on_cash and past.in_part)
        expenses.add(place, past.expenses, past.expenses_documents, no_rate)
        money_in.add(place, past.money_in, past.money_in_documents, no_rate)
        money_out.add(place, past.money_out, past.money_out_documents, no_rate)
    return flows


def periods(facts: TenantFacts, sums: PeriodSums) -> tuple[NamedPeriod, ...]:
    """The eleven periods, each with the one before it."""
    return tuple(
        _named(name, now, before, sums)
        for name, now, before in calendar(facts.clock.today, facts.tenant.fiscal_year_start_month).named
    )


def month_list(facts: TenantFacts, sums: PeriodSums) -> tuple[Month, ...]:
    """This month to date and the 23 before it, the newest first."""
    found = []
    for name, (_, span) in calendar(facts.clock.today, facts.tenant.fiscal_year_start_month).months:
        revenue, expenses, profit, money_in, money_out, _ = sums.numbers(span)
        found.append(
            Month(
                month=name,
                revenue=revenue,
                expenses=expenses,
                profit=profit,
                money_in=money_in,
                money_out=money_out,
            )
        )
    return tuple(found)


def months_left_out(facts: TenantFacts, sums: PeriodSums) -> tuple[Unconverted, ...]:
    """Of the four numbers of all months together, each as it counts: a document in two of them is in here twice."""
    listed = calendar(facts.clock.today, facts.tenant.fiscal_year_start_month).months
    (_, (_, (_, end))), (_, (_, (begin, _))) = listed[0], listed[-1]
    return summed(total for flow in sums.flows for total in flow.lacks((begin, end))).left_out.listed()


def _named(name: str, now: tuple[Period, Span], before: tuple[Period, Span], sums: PeriodSums) -> NamedPeriod:
    values, previous = sums.numbers(now[1]), sums.numbers(before[1])
    lacking, lacked = sums.lacking(now[1]), sums.lacking(before[1])
    percent = [change_percent(value, of_before) for value, of_before in zip(values, previous, strict=True)]
    if lacking or lacked:
        percent = [
            None if number in lacking or number in lacked else one for number, one in zip(NUMBERS, percent, strict=True)
        ]
    return NamedPeriod(
        name=name,  # type: ignore[arg-type]
        first=now[0].first,
        last=now[0].last,
        revenue=values.revenue,
        expenses=values.expenses,
        profit=values.profit,
        money_in=values.money_in,
        money_out=values.money_out,
        cash_flow=values.cash_flow,
        previous=PeriodNumbers(
            first=before[0].first,
            last=before[0].last,
            revenue=previous.revenue,
            expenses=previous.expenses,
            profit=previous.profit,
            money_in=previous.money_in,
            money_out=previous.money_out,
            cash_flow=previous.cash_flow,
            unconverted=_listed(lacked),
        ),
        change_percent=ChangePercent(**dict(zip(NUMBERS, percent, strict=True))),
        unconverted=_listed(lacking),
    )


def _listed(lacking: _Lacking) -> dict[str, tuple[Unconverted, ...]]:
    return {name: total.left_out.listed() for name, total in lacking.items()}


def _negative(totals: Sequence[Total]) -> list[Total]:
    return [total.negative() for total in totals]
