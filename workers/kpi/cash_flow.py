"""Cash Flow: payments less refunds less paid expenses, tax included, by day paid. Source: SPEC 4, Cash Flow."""

from __future__ import annotations

from dataclasses import dataclass

from workers.facts import TenantFacts
from workers.kpi.flows import Entry, Flow, collect, merged


@dataclass(frozen=True, slots=True)
class CashMovements:
    """Money by day paid. `money_in`: payments; `money_out`: refunds and expenses, negative; `net`: both together."""

    money_in: Flow
    money_out: Flow
    net: Flow


def cash_movements(facts: TenantFacts) -> CashMovements:
    """Every movement of money, in base units; whatever the tenant's basis. Raises ValueError if one is no number."""
    entries_in: list[Entry] = []
    entries_out: list[Entry] = []
    for payment in facts.payments:
        entry = Entry(payment.day, payment.no_rate, payment.amount, payment.documents)
        (entries_in if payment.kind == "payment" else entries_out).append(entry)
    for paid in facts.paid_expenses:
        entries_out.append(Entry(paid.day, paid.no_rate, paid.gross.copy_negate(), paid.documents, paid.anomalies))
    money_in, money_out = collect(entries_in), collect(entries_out)
    return CashMovements(money_in, money_out, merged(money_in, money_out))
