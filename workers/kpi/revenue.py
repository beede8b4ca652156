"""Daily Revenue, tax excluded: when invoiced (accrual) or when paid (cash). Source: SPEC 4, Daily Revenue."""

from __future__ import annotations

from datetime import date

from workers.facts import TenantFacts
from workers.kpi.flows import Entry, Flow, collect
from workers.kpi.money import ZERO, finite
from workers.kpi.totals import Total


def revenue(facts: TenantFacts) -> Flow:
    """Revenue by day on the tenant's basis, in base units."""
    return cash_revenue(facts) if facts.tenant.basis == "cash" else accrual_revenue(facts)


def accrual_revenue(facts: TenantFacts) -> Flow:
    """Invoices less credit notes, each on its own issue date."""
    return collect(Entry(g.day, g.no_rate, g.net, g.documents, g.anomalies) for g in facts.invoices)


def cash_revenue(facts: TenantFacts) -> Flow:
    """The invoices' share without tax of what was paid, less refunds, on the day paid.

    Documents are payments and refunds. One is convertible when all its allocations are, or when it has none; what its
    other allocations are worth counts all the same. Not known where nobody can say which money paid for what.
    """
    by_day: dict[date, Total] = {}
    for settled in facts.settlements:
        total = by_day.setdefault(settled.day, Total())
        total.documents += settled.documents
        total.convertible += 0 if settled.lacking else settled.documents
        for currency in settled.lacking:
            total.leave_out(currency, ZERO, settled.documents)
    for allocated in facts.allocations:
        total = by_day.setdefault(allocated.day, Total())
        if allocated.no_rate is None:
            total.amount += finite(allocated.net)
            total.in_part = True
        else:
            total.leave_out(allocated.no_rate, allocated.net, 0)
    for total in by_day.values():
        total.known = facts.links_known
    return Flow(by_day, facts.links_known)
