"""Cash Flow: payments less refunds less paid expenses, tax included, by day paid. Source: SPEC 4, Cash Flow."""

from __future__ import annotations

from datetime import date

import msgspec

from workers.facts import TenantFacts
from workers.kpi.flows import Flow, collect
from workers.kpi.totals import Entry


class CashMovements(msgspec.Struct, frozen=True):
    """Money by day paid. `money_in`: payments; `money_out`: refunds and expenses, negative; `net`: both together."""

    money_in: Flow
    money_out: Flow
    net: Flow


def cash_movements(facts: TenantFacts) -> CashMovements:
    """Every movement of money, in base units; whatever the tenant's basis. Raises ValueError if one is no number."""
    paid_in: list[Entry[date]] = []
    paid_out: list[Entry[date]] = []
    for group in facts.payments:
        side = paid_in if group.kind == "payment" else paid_out
        side.append((group.day, group.no_rate, group.amount, group.documents, 0))
    paid_out += [(g.day, g.no_rate, g.gross.copy_negate(), g.documents, g.anomalies) for g in facts.paid_expenses]
    today = facts.clock.today
    return CashMovements(collect(paid_in, today), collect(paid_out, today), collect([*paid_in, *paid_out], today))
