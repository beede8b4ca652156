"""Who owes the tenant, and whom the tenant owes: open invoices and unspent money by client. Source: SPEC 4, rule 6."""

from __future__ import annotations

from datetime import date

from shared.currency import exponent
from shared.snapshot import Debtor
from workers.facts import TenantFacts
from workers.kpi.money import ZERO, rounded_or_none
from workers.kpi.totals import Total, summed

LISTED_DEBTORS = 10


def debtors(facts: TenantFacts) -> tuple[Debtor, ...]:
    """Every client with an open invoice: most overdue first, then most outstanding; unknown counts as 0 there.

    Invoices without client stand together as one, last among equals.
    """
    outstanding: dict[str | None, Total] = {}
    overdue: dict[str | None, Total] = {}
    oldest: dict[str | None, date | None] = {}
    names: dict[str | None, str | None] = {}
    for group in facts.open_invoices:
        client = group.client_id
        names[client] = group.name
        if client not in outstanding:
            outstanding[client], overdue[client], oldest[client] = Total(), Total(), None
        outstanding[client].add_balance(group.base, group.amount, group.currency, group.documents)
        if group.bucket != "current":
            overdue[client].add_balance(group.base, group.amount, group.currency, group.documents)
        if group.oldest_due is not None:
            oldest[client] = min(oldest[client] or group.oldest_due, group.oldest_due)
    places = exponent(facts.tenant.base_currency)
    found = [
        Debtor(
            client_id=client,
            name=names[client],
            outstanding=rounded_or_none(owed.value, places),
            overdue=rounded_or_none(overdue[client].value, places),
            oldest_due=oldest[client],
            invoices=owed.documents,
        )
        for client, owed in outstanding.items()
    ]
    return tuple(
        sorted(
            found,
            key=lambda row: (
                -(row.overdue or ZERO),
                -(row.outstanding or ZERO),
                row.client_id is None,
                row.client_id or "",
            ),
        )
    )


def customer_credit(facts: TenantFacts) -> Total:
    """Σ over clients of what each may still spend, never below 0 for one client.

    Not known where nobody can say which money paid for what.
    """
    if not facts.links_known:
        return Total(known=False)
    by_client: dict[str | None, Total] = {}
    for group in facts.credits:
        client = by_client.setdefault(group.client_id, Total())
        client.add_balance(group.base, group.amount, group.currency, group.documents)
    for client in by_client.values():
        client.amount = max(client.amount, ZERO)
    return summed(by_client.values())
