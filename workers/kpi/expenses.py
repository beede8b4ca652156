"""Daily Expenses, tax excluded: when dated (accrual) or when paid (cash). Source: SPEC 4, Daily Expenses."""

from __future__ import annotations

from workers.facts import ExpenseGroup, TenantFacts
from workers.kpi.flows import Entry, Flow, collect
from workers.kpi.money import Converter


def expense_groups(facts: TenantFacts) -> tuple[ExpenseGroup, ...]:
    """The expenses that count on the tenant's basis, by the day on which they count."""
    return facts.paid_expenses if facts.tenant.basis == "cash" else facts.expenses


def expenses(facts: TenantFacts, converter: Converter) -> Flow:
    """Expenses by day on the tenant's basis, in base units, not rounded; vendor credits count with their minus."""
    return collect(
        (Entry(g.day, g.currency, g.net, g.documents, g.anomalies) for g in expense_groups(facts)),
        converter,
    )
