"""The tenant's facts added up once, for the metrics, the score and the overview to share. Nothing is rounded here."""

from __future__ import annotations

from dataclasses import dataclass

from workers.facts import TenantFacts
from workers.kpi.cash_flow import CashMovements, cash_movements
from workers.kpi.expenses import expenses
from workers.kpi.flows import Flow
from workers.kpi.money import Converter
from workers.kpi.profit import Profit
from workers.kpi.quotes import Quotes, quotes
from workers.kpi.receivables import Receivables, receivables
from workers.kpi.revenue import revenue


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Flows on the tenant's basis and balances as of now, in base units."""

    converter: Converter
    revenue: Flow
    expenses: Flow
    profit: Profit
    cash: CashMovements
    receivables: Receivables
    quotes: Quotes


def sums(facts: TenantFacts) -> Sums:
    """Every sum that more than one part of the dashboard looks at. Raises ValueError for an amount that is no number."""
    converter = Converter(base=facts.tenant.base_currency, today=facts.clock.today, rates=facts.rates)
    earned, spent = revenue(facts, converter), expenses(facts, converter)
    return Sums(
        converter=converter,
        revenue=earned,
        expenses=spent,
        profit=Profit(earned, spent),
        cash=cash_movements(facts, converter),
        receivables=receivables(facts, converter),
        quotes=quotes(facts, converter),
    )
