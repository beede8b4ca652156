"""What each period came to: the flows of the last days, and what is kept of those before. Source: SPEC 4, Overview blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from weakref import WeakKeyDictionary

import msgspec

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
Numbers = Sequence[Value]
"""Those of NUMBERS, of one period, rounded; None = documents there, none convertible, or not known."""

NUMBERS = ("revenue", "expenses", "profit", "money_in", "money_out", "cash_flow")
_Lacking = Mapping[str, Total]
_Asked = tuple[Calendar, int, bool, bool]


class PeriodSums(msgspec.Struct, frozen=True, kw_only=True):
    """The four flows that every number of a period is made of. money_out is positive. are_plain: as each of them says.

    finished: what followed from the kept days alone: nothing changes there any more.
    """

    revenue: Running
    expenses: Running
    money_in: Running
    money_out: Running
    places: int
    are_plain: bool
    finished: Finished

    @property
    def flows(self) -> tuple[Running, ...]:
        return self.revenue, self.expenses, self.money_in, self.money_out

    def numbers(self, span: Span) -> Numbers:
        """What the span came to."""
        if span in self.finished.numbers:
            return self.finished.numbers[span]
        if self.are_plain:
            return self._plain_numbers(span)
        revenue, expenses = self.revenue.value(span), self.expenses.value(span)
        money_in, money_out = self.money_in.value(span), self.money_out.value(span)
        cash_flow = difference(money_in, money_out)
        if cash_flow is None and (self.money_in.converts(span) or self.money_out.converts(span)):
            # One side alone is something, as on any day.
            cash_flow = self.money_in.amount(span) - self.money_out.amount(span)
        found = (revenue, expenses, difference(revenue, expenses), money_in, money_out, cash_flow)
        return all_rounded(found, self.places)

    def _plain_numbers(self, span: Span) -> Numbers:
        """The same where nothing is left out and nothing has to be rounded: a dashboard has nearly fifty periods."""
        begin, end = span
        revenue, expenses, money_in, money_out = [flow.amounts[end] - flow.amounts[begin] for flow in self.flows]
        return revenue, expenses, revenue - expenses, money_in, money_out, money_in - money_out

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


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from the kept days alone. numbers: of windows by their spans; before: the same as periods that others are
    compared with; named: periods that are over; months: the newest first."""

    numbers: Mapping[Span, Numbers] = {}
    before: Mapping[Span, PeriodNumbers] = {}
    named: Mapping[str, NamedPeriod] = {}
    months: tuple[Month, ...] = ()


NOTHING_FINISHED = Finished()
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
    return _period_sums(flows, places, past.finished)


def _period_sums(flows: Sequence[Running], places: int, finished: Finished = NOTHING_FINISHED) -> PeriodSums:
    revenue, expenses, money_in, money_out = flows
    return PeriodSums(
        revenue=revenue,
        expenses=expenses,
        money_in=money_in,
        money_out=money_out,
        places=places,
        are_plain=all(flow.is_plain for flow in flows),
        finished=finished,
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
    over = [
        (period, (begin, end))
        for _, *pair in windows.named
        for period, (begin, end) in pair
        if end <= windows.first_live
    ]
    closed = windows.months[windows.live_months :]
    finished = Finished(
        numbers={span: past.numbers(span) for _, span in over},
        before={span: _period_numbers(period, span, past) for period, span in over},
        named={name: _named(name, now, before, past) for name, now, before in windows.named if now in over},
        months=tuple(_month(name, past.numbers(span)) for name, (_, span) in closed),
    )
    return _period_sums(past.flows, past.places, finished)


def periods(facts: TenantFacts, sums: PeriodSums) -> tuple[NamedPeriod, ...]:
    """The eleven periods, each with the one before it."""
    over = sums.finished.named
    return tuple(
        [
            over[name] if name in over else _named(name, now, before, sums)
            for name, now, before in calendar(facts.clock.today, facts.tenant.fiscal_year_start_month).named
        ]
    )


def month_list(facts: TenantFacts, sums: PeriodSums) -> tuple[Month, ...]:
    """This month to date and the 23 before it, the newest first."""
    windows = calendar(facts.clock.today, facts.tenant.fiscal_year_start_month)
    live = windows.months[: windows.live_months]
    return (*[_month(name, sums.numbers(span)) for name, (_, span) in live], *sums.finished.months)


def _month(name: str, numbers: Numbers) -> Month:
    revenue, expenses, profit, money_in, money_out, _ = numbers
    return Month(month=name, revenue=revenue, expenses=expenses, profit=profit, money_in=money_in, money_out=money_out)


def months_left_out(facts: TenantFacts, sums: PeriodSums) -> tuple[Unconverted, ...]:
    """Of the four numbers of all months together, each as it counts: a document in two of them is in here twice."""
    if sums.are_plain:
        return ()
    listed = calendar(facts.clock.today, facts.tenant.fiscal_year_start_month).months
    (_, (_, (_, end))), (_, (_, (begin, _))) = listed[0], listed[-1]
    return summed(total for flow in sums.flows for total in flow.lacks((begin, end))).left_out.listed()


# The six numbers are written out where they become fields: taken by name from a dictionary, they made computing a dashboard a
# twentieth dearer.
def _named(name: str, now: tuple[Period, Span], before: tuple[Period, Span], sums: PeriodSums) -> NamedPeriod:
    (period, span), (period_before, span_before) = now, before
    numbers, numbers_before = sums.numbers(span), sums.numbers(span_before)
    lacking = sums.lacking(span)
    previous = sums.finished.before.get(span_before) or _period_numbers(period_before, span_before, sums)
    percent = list(map(change_percent, numbers, numbers_before))
    if lacking or previous.unconverted:
        without = {*lacking, *previous.unconverted}
        percent = [None if number in without else one for number, one in zip(NUMBERS, percent, strict=True)]
    revenue, expenses, profit, money_in, money_out, cash_flow = numbers
    return NamedPeriod(
        name=name,  # type: ignore[arg-type]
        first=period.first,
        last=period.last,
        revenue=revenue,
        expenses=expenses,
        profit=profit,
        money_in=money_in,
        money_out=money_out,
        cash_flow=cash_flow,
        previous=previous,
        change_percent=_change_percent(percent),
        unconverted=_listed(lacking),
    )


def _period_numbers(period: Period, span: Span, sums: PeriodSums) -> PeriodNumbers:
    revenue, expenses, profit, money_in, money_out, cash_flow = sums.numbers(span)
    return PeriodNumbers(
        first=period.first,
        last=period.last,
        revenue=revenue,
        expenses=expenses,
        profit=profit,
        money_in=money_in,
        money_out=money_out,
        cash_flow=cash_flow,
        unconverted=_listed(sums.lacking(span)),
    )


def _change_percent(percent: Numbers) -> ChangePercent:
    revenue, expenses, profit, money_in, money_out, cash_flow = percent
    return ChangePercent(
        revenue=revenue,
        expenses=expenses,
        profit=profit,
        money_in=money_in,
        money_out=money_out,
        cash_flow=cash_flow,
    )


def _listed(lacking: _Lacking) -> dict[str, tuple[Unconverted, ...]]:
    return {name: total.left_out.listed() for name, total in lacking.items()}


def _negative(totals: Sequence[Total]) -> list[Total]:
    return [total.negative() for total in totals]
