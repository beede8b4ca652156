"""What each period came to: the flows of the last days, and what is kept of those before. Source: SPEC 4, Overview blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple
from weakref import WeakKeyDictionary

from shared.currency import exponent
from shared.snapshot import ChangePercent, Month, NamedPeriod, PeriodNumbers, Unconverted
from workers.facts import KeptPast, TenantFacts
from workers.kpi.days import Period
from workers.kpi.money import all_rounded
from workers.kpi.profit import difference
from workers.kpi.running import Adding, Running, continued
from workers.kpi.sums import Sums
from workers.kpi.totals import Total, summed
from workers.kpi.trend import change_percent
from workers.kpi.windows import Calendar, Span, calendar

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
_Asked = tuple[Calendar, int, bool, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodSums:
    """The four flows that every number of a period is made of. money_out is positive. are_plain: as each of them says.

    finished: the numbers of windows in which nothing changes any more; closed: months of that kind, the newest first.
    """

    revenue: Running
    expenses: Running
    money_in: Running
    money_out: Running
    places: int
    are_plain: bool
    finished: Mapping[Span, Numbers] = field(default_factory=dict)
    closed: tuple[Month, ...] = ()

    @property
    def flows(self) -> tuple[Running, ...]:
        return self.revenue, self.expenses, self.money_in, self.money_out

    def numbers(self, span: Span) -> Numbers:
        """What the span came to."""
        if span in self.finished:
            return self.finished[span]
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


_pasts: WeakKeyDictionary[KeptPast, tuple[_Asked, PeriodSums]] = WeakKeyDictionary()


def period_sums(facts: TenantFacts, sums: Sums) -> PeriodSums:
    """The flows of all periods. Raises ValueError for an amount that is no number."""
    windows = calendar(facts.clock.today, facts.tenant.fiscal_year_start_month)
    past = _past(facts, windows, known=sums.revenue.known)
    places, cash = past.places, sums.cash
    live = (sums.revenue, sums.expenses, cash.money_in, cash.money_out)
    counted = any(flow.by_day.lacking for flow in live) or any(flow.lacking for flow in past.flows)
    flows = [
        continued(kept, flow, windows, places, counted=counted, negative=flow is cash.money_out)
        for kept, flow in zip(past.flows, live, strict=True)
    ]
    return _period_sums(flows, places, past.finished, past.closed)


def _period_sums(
    flows: Sequence[Running], places: int, finished: Mapping[Span, Numbers] = {}, closed: tuple[Month, ...] = ()
) -> PeriodSums:
    revenue, expenses, money_in, money_out = flows
    return PeriodSums(
        revenue=revenue,
        expenses=expenses,
        money_in=money_in,
        money_out=money_out,
        places=places,
        are_plain=all(flow.is_plain for flow in flows),
        finished=finished,
        closed=closed,
    )


def _past(facts: TenantFacts, windows: Calendar, *, known: bool) -> PeriodSums:
    """The kept days alone: the same for each computation of a day, as long as nobody has made them anew."""
    asked = (windows, exponent(facts.tenant.base_currency), facts.tenant.basis == "cash", known)
    remembered = _pasts.get(facts.kept)
    if remembered is None or remembered[0] != asked:
        remembered = _pasts[facts.kept] = (asked, _finished(_kept(facts.kept, *asked), windows))
    return remembered[1]


def _kept(kept: KeptPast, windows: Calendar, places: int, on_cash: bool, known: bool) -> PeriodSums:
    revenue, expenses, money_in, money_out = flows = [Adding(windows, places) for _ in range(4)]
    for past in kept.totals:
        place, no_rate = windows.place(past.first), past.no_rate
        if place < 0:
            continue
        revenue.add(place, past.revenue, past.revenue_documents, no_rate, in_part=on_cash and past.in_part)
        expenses.add(place, past.expenses, past.expenses_documents, no_rate)
        money_in.add(place, past.money_in, past.money_in_documents, no_rate)
        money_out.add(place, past.money_out, past.money_out_documents, no_rate)
    return _period_sums([flow.running(known=known or flow is not revenue) for flow in flows], places)


def _finished(past: PeriodSums, windows: Calendar) -> PeriodSums:
    """With all that follows from the kept days alone."""
    spans = [
        span for _, (_, now), (_, before) in windows.named for span in (now, before) if span[1] <= windows.first_live
    ]
    return replace(
        past,
        finished={span: past.numbers(span) for span in spans},
        closed=tuple(_month(name, past.numbers(span)) for name, (_, span) in windows.months[windows.live_months :]),
    )


def periods(facts: TenantFacts, sums: PeriodSums) -> tuple[NamedPeriod, ...]:
    """The eleven periods, each with the one before it."""
    return tuple(
        _named(name, now, before, sums)
        for name, now, before in calendar(facts.clock.today, facts.tenant.fiscal_year_start_month).named
    )


def month_list(facts: TenantFacts, sums: PeriodSums) -> tuple[Month, ...]:
    """This month to date and the 23 before it, the newest first."""
    windows = calendar(facts.clock.today, facts.tenant.fiscal_year_start_month)
    live = windows.months[: windows.live_months]
    return (*[_month(name, sums.numbers(span)) for name, (_, span) in live], *sums.closed)


def _month(name: str, numbers: Numbers) -> Month:
    return Month(
        month=name,
        revenue=numbers.revenue,
        expenses=numbers.expenses,
        profit=numbers.profit,
        money_in=numbers.money_in,
        money_out=numbers.money_out,
    )


def months_left_out(facts: TenantFacts, sums: PeriodSums) -> tuple[Unconverted, ...]:
    """Of the four numbers of all months together, each as it counts: a document in two of them is in here twice."""
    if sums.are_plain:
        return ()
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
        change_percent=ChangePercent(
            revenue=percent[0],
            expenses=percent[1],
            profit=percent[2],
            money_in=percent[3],
            money_out=percent[4],
            cash_flow=percent[5],
        ),
        unconverted=_listed(lacking),
    )


def _listed(lacking: _Lacking) -> dict[str, tuple[Unconverted, ...]]:
    return {name: total.left_out.listed() for name, total in lacking.items()}


def _negative(totals: Sequence[Total]) -> list[Total]:
    return [total.negative() for total in totals]
