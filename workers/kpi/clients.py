"""Which clients do business with the tenant, and which bring the most. Source: SPEC 4, Client Activity, Overview blocks."""

from __future__ import annotations

from shared.snapshot import ACTIVITY, Metric, TopClient
from workers.facts import TenantFacts
from workers.kpi.days import trailing
from workers.kpi.metrics import count_metric
from workers.kpi.money import RATIO_PLACES, money_or_none, rounded_or_none
from workers.kpi.ranking import ranked
from workers.kpi.totals import Total

ACTIVE_DAYS = 30


def activity_metric(facts: TenantFacts) -> Metric:
    """Client Activity: distinct active clients of the trailing 30 days against the 30 days before."""
    looked_at = _documents(facts)
    return count_metric(
        facts, ACTIVITY, facts.activity.current, facts.activity.previous, looked_at=looked_at, counted=looked_at
    )


def _documents(facts: TenantFacts) -> Total:
    """What makes clients active: invoices, payments and won quotes of the window, with a client or without."""
    period = trailing(facts.clock.today, ACTIVE_DAYS)
    total = Total()
    for invoice in facts.invoices:
        if invoice.kind == "invoice" and invoice.day in period:
            total.add(invoice.gross, invoice.documents, no_rate=invoice.no_rate, anomalies=invoice.anomalies)
    for payment in facts.payments:
        if payment.kind == "payment" and payment.day in period:
            total.add(payment.amount, payment.documents, no_rate=payment.no_rate)
    for quote in facts.quotes:
        if quote.outcome == "won" and quote.window == "recent":
            total.add(quote.amount, quote.documents, no_rate=quote.no_rate, anomalies=quote.anomalies)
    return total


def by_client(facts: TenantFacts) -> dict[str | None, Total]:
    """Revenue (accrual) of the trailing 90 days from each client; invoices without client stand together as None."""
    totals: dict[str | None, Total] = {}
    for group in facts.clients:
        total = totals.get(group.client_id)
        if total is None:
            total = totals[group.client_id] = Total()
        total.add(group.net, group.documents, no_rate=group.no_rate)
    return totals


def clients_left_out(facts: TenantFacts) -> Total:
    """What has no rate among that revenue; nothing else is added up."""
    total = Total()
    for group in facts.clients:
        if group.no_rate is not None:
            total.leave_out(group.no_rate, group.net, group.documents)
    return total


def top_clients(facts: TenantFacts) -> tuple[TopClient, ...]:
    """The ten clients with the highest revenue."""
    names = {group.client_id: group.name for group in facts.clients}
    return tuple(
        TopClient(
            client_id=row.name,
            name=names[row.name],
            revenue=money_or_none(row.total.value, facts.tenant.base_currency),
            share=rounded_or_none(row.share, RATIO_PLACES),
            documents=row.total.documents,
        )
        for row in ranked(by_client(facts))
    )
