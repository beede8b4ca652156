"""The tenant's facts added up once, for the metrics, the score and the overview to share."""

from __future__ import annotations

import msgspec

from workers.facts import TenantFacts
from workers.kpi.cash_flow import CashMovements, cash_movements
from workers.kpi.dso import Dso, dso
from workers.kpi.expenses import expenses
from workers.kpi.flows import Flow
from workers.kpi.profit import Profit
from workers.kpi.quotes import Quotes, quotes
from workers.kpi.receivables import Receivables, receivables
from workers.kpi.revenue import revenue


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Flows on the tenant's basis and balances as of now, in base units."""

    revenue: Flow
    expenses: Flow
    profit: Profit
    cash: CashMovements
    receivables: Receivables
    dso: Dso
    quotes: Quotes


def sums(facts: TenantFacts) -> Sums:
    """Every sum that more than one part of the dashboard looks at. Raises ValueError for an amount that is no number."""
    earned, spent = revenue(facts), expenses(facts)
    return Sums(
        revenue=earned,
        expenses=spent,
        profit=Profit(earned, spent),
        cash=cash_movements(facts),
        receivables=receivables(facts),
        dso=dso(facts),
        quotes=quotes(facts),
    )
