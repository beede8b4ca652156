"""Which clients do business with the tenant, and which bring the most. Source: SPEC 4, Client Activity, Overview blocks."""

from __future__ import annotations

from shared.currency import exponent
from shared.snapshot import ACTIVITY, Metric, TopClient
from workers.facts import TenantFacts
from workers.kpi.days import trailing
from workers.kpi.metrics import count_metric
from workers.kpi.ranking import ranked
from workers.kpi.totals import Total, Totals

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
    first, last = period.first, period.last
    total = Total()
    total.add_all(
        [
            (g.no_rate, g.gross, g.documents, g.anomalies)
            for g in facts.invoices
            if g.kind == "invoice" and first <= g.day <= last
        ]
    )
    total.add_all(
        [
            (g.no_rate, g.amount, g.documents, 0)
            for g in facts.payments
            if g.kind == "payment" and first <= g.day <= last
        ]
    )
    total.add_all(
        [
            (g.no_rate, g.amount, g.documents, g.anomalies)
            for g in facts.quotes
            if g.outcome == "won" and g.window == "recent"
        ]
    )
    return total


def by_client(facts: TenantFacts) -> Totals[str | None]:
    """Revenue (accrual) of the trailing 90 days from each client; invoices without client stand together as None."""
    totals: Totals[str | None] = Totals()
    totals.add([(group.client_id, group.no_rate, group.net, group.documents, 0) for group in facts.clients])
    return totals


def top_clients(facts: TenantFacts, earned: Totals[str | None]) -> tuple[TopClient, ...]:
    """The ten clients with the highest revenue."""
    names = {group.client_id: group.name for group in facts.clients}
    return tuple(
        [
            TopClient(client_id=client, name=names[client], revenue=revenue, share=share, documents=documents)
            for client, revenue, share, documents in ranked(earned, exponent(facts.tenant.base_currency))
        ]
    )
