"""Daily Expenses, tax excluded: when dated (accrual) or when paid (cash). Source: SPEC 4, Daily Expenses."""

from __future__ import annotations

from shared.snapshot import ExpenseCategory
from workers.facts import ExpenseGroup, TenantFacts
from workers.kpi.days import trailing
from workers.kpi.flows import Entry, Flow, collect
from workers.kpi.money import RATIO_PLACES, money_or_none, rounded_or_none
from workers.kpi.ranking import ranked
from workers.kpi.totals import Total

CATEGORY_DAYS = 30


def expense_groups(facts: TenantFacts) -> tuple[ExpenseGroup, ...]:
    """The expenses that count on the tenant's basis, by the day on which they count."""
    return facts.paid_expenses if facts.tenant.basis == "cash" else facts.expenses


def expenses(facts: TenantFacts) -> Flow:
    """Expenses by day on the tenant's basis, in base units; vendor credits count with their minus."""
    return collect(Entry(g.day, g.no_rate, g.net, g.documents, g.anomalies) for g in expense_groups(facts))


def by_category(facts: TenantFacts) -> dict[str | None, Total]:
    """Expenses of the trailing 30 days in each category (None = none given)."""
    period = trailing(facts.clock.today, CATEGORY_DAYS)
    totals: dict[str | None, Total] = {}
    for group in expense_groups(facts):
        if group.day in period:
            totals.setdefault(group.category, Total()).add(group.net, group.documents, no_rate=group.no_rate)
    return totals


def expense_categories(facts: TenantFacts) -> tuple[ExpenseCategory, ...]:
    """The ten categories with the highest expenses of the trailing 30 days."""
    return tuple(
        ExpenseCategory(
            category=row.name,
            amount=money_or_none(row.total.value, facts.tenant.base_currency),
            share=rounded_or_none(row.share, RATIO_PLACES),
            documents=row.total.documents,
        )
        for row in ranked(by_category(facts))
    )
