"""Daily Expenses, tax excluded: when dated (accrual) or when paid (cash). Source: SPEC 4, Daily Expenses."""

from __future__ import annotations

from shared.currency import exponent
from shared.snapshot import ExpenseCategory
from workers.facts import ExpenseGroup, TenantFacts
from workers.kpi.days import trailing
from workers.kpi.flows import Flow, collect
from workers.kpi.ranking import ranked
from workers.kpi.totals import Totals

CATEGORY_DAYS = 30


def expense_groups(facts: TenantFacts) -> tuple[ExpenseGroup, ...]:
    """The expenses that count on the tenant's basis, by the day on which they count."""
    return facts.paid_expenses if facts.tenant.basis == "cash" else facts.expenses


def expenses(facts: TenantFacts) -> Flow:
    """Expenses by day on the tenant's basis, in base units; vendor credits count with their minus."""
    entries = [(g.day, g.no_rate, g.net, g.documents, g.anomalies) for g in expense_groups(facts)]
    return collect(entries, facts.clock.today)


def by_category(facts: TenantFacts) -> Totals[str | None]:
    """Expenses of the trailing 30 days in each category (None = none given)."""
    period = trailing(facts.clock.today, CATEGORY_DAYS)
    totals: Totals[str | None] = Totals()
    totals.add((g.category, g.no_rate, g.net, g.documents, 0) for g in expense_groups(facts) if g.day in period)
    return totals


def expense_categories(spent: Totals[str | None], currency: str) -> tuple[ExpenseCategory, ...]:
    """The ten categories with the highest expenses."""
    return tuple(
        [
            ExpenseCategory(category=category, amount=amount, share=share, documents=documents)
            for category, amount, share, documents in ranked(spent, exponent(currency))
        ]
    )
