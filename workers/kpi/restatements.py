"""Closed months that have changed since yesterday. Source: SPEC 4, Overview blocks (exact for any backdated change)."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any

from shared.snapshot import CASH_FLOW, EXPENSES, REVENUE, Month
from workers.facts import MonthNumbers, ShownMonths, TenantFacts
from workers.kpi.money import formatted

NUMBERS = ("revenue", "expenses", "money_in", "money_out")
# A restatement is told under the metric whose past it changes.
NUMBERS_OF: Mapping[str, Sequence[str]] = {
    REVENUE: ("revenue",),
    EXPENSES: ("expenses",),
    CASH_FLOW: ("money_in", "money_out"),
}

# Of more a message would not be read; how many there are beside these is said.
MOST_TOLD = 4
MOST_NAMED = 3
_WORDS = {"revenue": "revenue", "expenses": "expenses", "money_in": "money in", "money_out": "money out"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Restatement:
    """One number of a closed month that is not what it was at the end of yesterday; None: it could not be computed.

    documents: the references of those that were written today, as far as they are known.
    """

    month: str
    number: str
    before: Decimal | None
    after: Decimal | None
    documents: tuple[str, ...] = ()

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day of the month."""
        first = date.fromisoformat(f"{self.month}-01")
        return first, first.replace(day=calendar.monthrange(first.year, first.month)[1])


def shown_months(facts: TenantFacts, months: Sequence[Month]) -> ShownMonths:
    """The closed months as they are shown now, to be kept unless they are."""
    before, tenant, kept, closed = _before(facts), facts.tenant, facts.shown_months, _closed(months)
    if kept is not None and is_kept(facts, closed):
        # The very object, so that nobody compares all months again.
        closed = kept.months
    return ShownMonths(
        day=facts.clock.today,
        base_currency=tenant.base_currency,
        basis=tenant.basis,
        months=closed,
        before=closed if before is None else before,
    )


def is_kept(facts: TenantFacts, closed: Mapping[str, MonthNumbers]) -> bool:
    """Whether what is kept says the same already; on which day it came to be so makes no difference."""
    kept, tenant = facts.shown_months, facts.tenant
    return kept is not None and (kept.months, kept.base_currency, kept.basis) == (
        closed,
        tenant.base_currency,
        tenant.basis,
    )


def restatements(facts: TenantFacts, shown: ShownMonths) -> tuple[Restatement, ...]:
    """Every number of a closed month that changed today, the newest month first."""
    before = shown.before
    if before == shown.months:
        return ()
    return tuple(
        Restatement(
            month=month,
            number=number,
            before=then,
            after=now,
            documents=facts.touched.get((month, number), ()),
        )
        for month, numbers in shown.months.items()
        if before.get(month, numbers) != numbers
        for number, then, now in zip(NUMBERS, before[month], numbers, strict=True)
        if then != now
    )


def change_of(restatement: Restatement) -> dict[str, Any]:
    """A restatement as data."""
    named = restatement.documents
    return {
        "month": restatement.month,
        "number": restatement.number,
        "before": restatement.before,
        "after": restatement.after,
        "documents": list(named[:MOST_NAMED]),
        "others": len(named) > MOST_NAMED,
    }


def restated_in_words(restated: Sequence[Restatement], today: date, currency: str) -> str:
    """A sentence for each month: "October changed: revenue -450.00 USD by CN-1042."."""
    told, more = restated[:MOST_TOLD], len(restated[MOST_TOLD:])
    sentences = [
        f"{_named(month, today)} changed: {', '.join(_change(one, currency) for one in ones)}."
        for month, ones in groupby(told, key=lambda one: one.month)
    ]
    others = f" So did {more} earlier {'number' if more == 1 else 'numbers'}." if more else ""
    return " ".join(sentences) + others


def _named(month: str, today: date) -> str:
    """By its name, and with its year unless that is this one."""
    first = date.fromisoformat(f"{month}-01")
    return calendar.month_name[first.month] + ("" if first.year == today.year else f" {first.year}")


def _change(one: Restatement, currency: str) -> str:
    if one.before is None or one.after is None:
        size = " can be computed now" if one.before is None else " lacks an exchange rate now"
    else:
        difference = one.after - one.before
        size = f" {'+' if difference > 0 else ''}{formatted(difference, currency)}"
    named = " and ".join((*one.documents[:MOST_NAMED], *(["others"] if len(one.documents) > MOST_NAMED else [])))
    return f"{_WORDS[one.number]}{size}{f' by {named}' if named else ''}"


def _before(facts: TenantFacts) -> dict[str, MonthNumbers] | None:
    """The months as they stood at the end of yesterday; None where that says nothing about today: on the first day, on which
    a host may still be filling its past in, and after a change of currency or basis."""
    kept, tenant = facts.shown_months, facts.tenant
    if kept is None or facts.rebuilt is not None:
        return None
    if (kept.base_currency, kept.basis) != (tenant.base_currency, tenant.basis):
        return None
    return kept.before if kept.day >= facts.clock.today else kept.months


def _closed(months: Sequence[Month]) -> dict[str, MonthNumbers]:
    """All but the current month, the newest first."""
    return {one.month: (one.revenue, one.expenses, one.money_in, one.money_out) for one in months[1:]}
