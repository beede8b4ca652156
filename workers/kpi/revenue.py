"""Daily Revenue, tax excluded: when invoiced (accrual) or when paid (cash). Source: SPEC 4, Daily Revenue."""

from __future__ import annotations

from datetime import date

from workers.facts import TenantFacts
from workers.kpi.flows import Flow, collect, flow
from workers.kpi.money import ZERO, finite
from workers.kpi.totals import Totals


def revenue(facts: TenantFacts) -> Flow:
    """Revenue by day on the tenant's basis, in base units."""
    return cash_revenue(facts) if facts.tenant.basis == "cash" else accrual_revenue(facts)


def accrual_revenue(facts: TenantFacts) -> Flow:
    """Invoices less credit notes, each on its own issue date."""
    entries = [(g.day, g.no_rate, g.net, g.documents, g.anomalies) for g in facts.invoices]
    return collect(entries, facts.clock.today)


def cash_revenue(facts: TenantFacts) -> Flow:
    """The invoices' share without tax of what was paid, less refunds, on the day paid.

    Documents are payments and refunds. One is convertible when all its allocations are, or when it has none; what its
    other allocations are worth counts all the same. Not known where nobody can say which money paid for what.
    """
    by_day: Totals[date] = Totals()
    for settled in facts.settlements:
        if not settled.lacking:
            by_day.documents[settled.day] = by_day.documents.get(settled.day, 0) + settled.documents
            continue
        missing = by_day.lacking_of(settled.day)
        missing.documents += settled.documents
        for currency in settled.lacking:
            missing.leave_out(currency, ZERO, settled.documents)
    for allocated in facts.allocations:
        if allocated.no_rate is None:
            by_day.amounts[allocated.day] = by_day.amounts.get(allocated.day, ZERO) + finite(allocated.net)
        else:
            by_day.lacking_of(allocated.day).leave_out(allocated.no_rate, allocated.net, 0)
    for day, missing in by_day.lacking.items():
        missing.in_part = day in by_day.amounts
    return flow(by_day, facts.clock.today, known=facts.links_known)
