"""Who owes the tenant, and whom the tenant owes: open invoices and unspent money by client. Source: SPEC 4, rule 6."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from shared.currency import exponent
from shared.snapshot import Debtor
from workers.facts import OpenInvoiceGroup, TenantFacts
from workers.kpi.money import ZERO, rounded_or_none
from workers.kpi.totals import Total, Totals, worth

LISTED_DEBTORS = 10


def debtors(facts: TenantFacts) -> tuple[Debtor, ...]:
    """The ten clients with open invoices who owe most: most overdue first, then most outstanding; unknown counts as 0 there.

    Invoices without client stand together as one, last among equals.
    """
    owed = _by_client(facts.open_invoices)
    late = _by_client(group for group in facts.open_invoices if group.bucket != "current")
    outstanding, overdue = owed.values(), late.values()
    # Sorting keeps the order of equals: what decides last comes first.
    clients = sorted(outstanding, key=lambda client: (client is None, client))
    clients.sort(key=lambda client: outstanding[client] or ZERO, reverse=True)
    clients.sort(key=lambda client: overdue.get(client) or ZERO, reverse=True)
    names = {group.client_id: group.name for group in facts.open_invoices}
    oldest = _oldest_due(facts.open_invoices)
    places = exponent(facts.tenant.base_currency)
    return tuple(
        Debtor(
            client_id=client,
            name=names[client],
            outstanding=rounded_or_none(outstanding[client], places),
            overdue=rounded_or_none(overdue.get(client, ZERO), places),
            oldest_due=oldest.get(client),
            invoices=owed.count(client),
        )
        for client in clients[:LISTED_DEBTORS]
    )


def _by_client(groups: Iterable[OpenInvoiceGroup]) -> Totals[str | None]:
    totals: Totals[str | None] = Totals()
    totals.add((group.client_id, *worth(group), group.documents, 0) for group in groups)
    return totals


def _oldest_due(groups: Iterable[OpenInvoiceGroup]) -> Mapping[str | None, date]:
    oldest: dict[str | None, date] = {}
    for group in groups:
        if group.oldest_due is not None:
            oldest[group.client_id] = min(oldest.get(group.client_id, group.oldest_due), group.oldest_due)
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
