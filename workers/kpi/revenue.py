"""Daily Revenue, tax excluded: when invoiced (accrual) or when paid (cash). Source: SPEC 4, Daily Revenue."""

from __future__ import annotations

from datetime import date

from workers.facts import TenantFacts
from workers.kpi.flows import Entry, Flow, collect
from workers.kpi.money import ZERO, Converter
from workers.kpi.totals import Leftovers, Total


def revenue(facts: TenantFacts, converter: Converter) -> Flow:
    """Revenue by day on the tenant's basis, in base units, not rounded."""
    if facts.tenant.basis == "cash":
        return cash_revenue(facts, converter)
    return accrual_revenue(facts, converter)


def accrual_revenue(facts: TenantFacts, converter: Converter) -> Flow:
    """Invoices less credit notes, each on its own issue date."""
    return collect(
        (Entry(group.day, group.currency, group.net, group.documents, group.anomalies) for group in facts.invoices),
        converter,
    )


def cash_revenue(facts: TenantFacts, converter: Converter) -> Flow:
    """The invoices' share without tax of what was paid, less refunds, on the day paid at the invoice's rate.

    Documents are payments and refunds. One is convertible when all its allocations are, or when it has none; what its
    other allocations are worth counts all the same.
    """
    by_day: dict[date, Total] = {}
    left_out = Leftovers()
    for settled in facts.settlements:
        missing = {currency for currency, on in settled.needs if not converter.knows(currency, on)}
        by_day.setdefault(settled.day, Total()).add(None if missing else ZERO, settled.documents)
        if settled.day == converter.today:
            for currency in missing:
                left_out.add(currency, ZERO, settled.documents)
    for allocated in facts.allocations:
        converted = converter.flow(allocated.net, allocated.currency, allocated.rate_date)
        if converted is not None:
            by_day.setdefault(allocated.day, Total()).amount += converted
        elif allocated.day == converter.today:
            left_out.add(allocated.currency, allocated.net, 0)
    return Flow(by_day, left_out)
