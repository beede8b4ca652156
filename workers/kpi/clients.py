"""Which clients do business with the tenant, and which bring the most. Source: SPEC 4, Client Activity; SPEC 6."""

from __future__ import annotations

from shared.snapshot import ACTIVITY, Metric, TopClient
from workers.facts import TenantFacts
from workers.kpi.days import trailing
from workers.kpi.metrics import count_metric
from workers.kpi.money import RATIO_PLACES, Converter, money, rounded_or_none
from workers.kpi.ranking import shares
from workers.kpi.totals import Leftovers, Total

ACTIVE_DAYS = 30


def activity_metric(facts: TenantFacts, converter: Converter) -> Metric:
    """Client Activity: distinct active clients of the trailing 30 days against the 30 days before."""
    looked_at, left_out = _documents(facts, converter)
    return count_metric(
        facts,
        ACTIVITY,
        facts.activity.current,
        facts.activity.previous,
        looked_at=looked_at,
        left_out=left_out,
    )


def _documents(facts: TenantFacts, converter: Converter) -> tuple[Total, Leftovers]:
    """What makes clients active: invoices, payments and won quotes of the window, with a client or without."""
    period = trailing(facts.clock.today, ACTIVE_DAYS)
    groups = [
        *(
            (group.currency, group.day, group.gross, group.documents, group.anomalies)
            for group in facts.invoices
            if group.kind == "invoice" and group.day in period
        ),
        *(
            (group.currency, group.day, group.amount, group.documents, 0)
            for group in facts.payments
            if group.kind == "payment" and group.day in period
        ),
        *(
            (group.currency, group.rate_date, group.amount, group.documents, group.anomalies)
            for group in facts.quotes
            if group.outcome == "won" and group.window == "recent"
        ),
    ]
    total, left_out = Total(), Leftovers()
    for currency, on, amount, documents, anomalies in groups:
        converted = converter.flow(amount, currency, on)
        total.add(converted, documents, anomalies)
        if converted is None:
            left_out.add(currency, amount, documents)
    return total, left_out


def top_clients(facts: TenantFacts, converter: Converter) -> tuple[TopClient, ...]:
    """The ten clients with the highest revenue (accrual) of the trailing 90 days; share of all clients' revenue.

    A client none of whose documents can be converted is left out; invoices without a client stand together as one.
    """
    by_client: dict[str | None, Total] = {}
    names: dict[str | None, str | None] = {}
    for group in facts.clients:
        converted = converter.flow(group.net, group.currency, group.rate_date)
        by_client.setdefault(group.client_id, Total()).add(converted, group.documents)
        names[group.client_id] = group.name
    return tuple(
        TopClient(
            client_id=client_id,
            name=names[client_id],
            revenue=money(amount, converter.base),
            share=rounded_or_none(share, RATIO_PLACES),
            documents=documents,
        )
        for client_id, amount, share, documents in shares(by_client)
    )
