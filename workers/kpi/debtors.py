"""Who owes the tenant, and whom the tenant owes: open invoices and unspent money by client. Source: SPEC 4, rule 6."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from shared.currency import exponent
from shared.snapshot import Debtor
from workers.facts import OpenInvoiceGroup, TenantFacts
from workers.kpi.money import ZERO, all_rounded
from workers.kpi.ranking import by_name
from workers.kpi.receivables import OpenBalance
from workers.kpi.totals import Total, Totals, worth

LISTED_DEBTORS = 10


def debtors(facts: TenantFacts, balances: Sequence[OpenBalance]) -> tuple[Debtor, ...]:
    """The ten clients with open invoices who owe most: most overdue first, then most outstanding; unknown counts as 0 there.

    Invoices without client stand together as one, last among equals.
    """
    owed = _by_client(balances)
    late = _by_client([balance for balance in balances if balance[0].bucket != "current"])
    outstanding, overdue = owed.values(), late.values()
    # Sorting keeps the order of equals: what decides last comes first.
    clients = by_name(outstanding)
    clients.sort(key=lambda client: outstanding[client] or ZERO, reverse=True)
    clients.sort(key=lambda client: overdue.get(client) or ZERO, reverse=True)
    listed = clients[:LISTED_DEBTORS]
    names = {group.client_id: group.name for group in facts.open_invoices}
    oldest = _oldest_due(facts.open_invoices)
    places = exponent(facts.tenant.base_currency)
    shown = all_rounded([outstanding[client] for client in listed], places)
    shown_late = all_rounded([overdue.get(client, ZERO) for client in listed], places)
    return tuple(
        [
            Debtor(
                client_id=client,
                name=names[client],
                outstanding=of_all,
                overdue=of_late,
                oldest_due=oldest.get(client),
                invoices=owed.count(client),
            )
            for client, of_all, of_late in zip(listed, shown, shown_late, strict=True)
        ]
    )


def _by_client(balances: Sequence[OpenBalance]) -> Totals[str | None]:
    totals: Totals[str | None] = Totals()
    totals.add([(group.client_id, no_rate, amount, group.documents, 0) for group, no_rate, amount in balances])
    return totals


def _oldest_due(groups: Iterable[OpenInvoiceGroup]) -> Mapping[str | None, date]:
    oldest: dict[str | None, date] = {}
    for group in groups:
        client, due = group.client_id, group.oldest_due
        if due is not None and (client not in oldest or due < oldest[client]):
            oldest[client] = due
    return oldest


def customer_credit(facts: TenantFacts) -> Total:
    """Σ over clients of what each may still spend, never below 0 for one client.

    Not known where nobody can say which money paid for what.
    """
    if not facts.links_known:
        return Total(known=False)
    by_client: Totals[str | None] = Totals()
    by_client.add((group.client_id, *worth(group), group.documents, 0) for group in facts.credits)
    by_client.amounts = {client: max(amount, ZERO) for client, amount in by_client.amounts.items()}
    return by_client.whole()
