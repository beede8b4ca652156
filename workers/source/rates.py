"""Exchange rates: exactly those that the groups of facts need, no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from workers.facts import SettlementGroup
from workers.source.batch import Batch, refuse_nonsense

# Which rate applies? The newest on or before the day and at most 7 days older; on one date the tenant's own before the
# one for all ('*'). `nth` is the position of the question.
RATES = text("""
    SELECT needed.nth, known.rate
    FROM unnest(CAST(:tenant_ids AS text[]), CAST(:currencies AS text[]), CAST(:bases AS text[]), CAST(:days AS date[]))
         WITH ORDINALITY AS needed (tenant_id, currency, base, day, nth)
    CROSS JOIN LATERAL (
        SELECT f.rate FROM dashboard.fx_rate f
        WHERE f.tenant_id IN (needed.tenant_id, '*')
            AND f.currency = needed.currency::bpchar AND f.base_currency = needed.base::bpchar
            AND f.rate_date BETWEEN needed.day - 7 AND needed.day AND f.rate > 0
        ORDER BY f.rate_date DESC, f.tenant_id = '*'
        LIMIT 1
    ) known
""")

# Balances are converted at today's rate, whatever the dates of their documents.
_AT_TODAY = ("open_invoices", "credits", "payables", "recurring")
_AT_RATE_DATE = ("allocations", "quotes", "clients")
_AT_DAY = ("invoices", "payments", "expenses", "paid_expenses")

Need = tuple[str, str, str, date]


def read_rates(
    batch: Batch, groups: Mapping[str, Mapping[str, list[Any]]]
) -> dict[str, dict[tuple[str, date], Decimal]]:
    """Base units per 1 unit by tenant and (currency, date), for every group that is not in base units."""
    needs = list(dict.fromkeys(_needs(batch, groups)))
    found: dict[str, dict[tuple[str, date], Decimal]] = {}
    if not needs:
        return found
    tenant_ids, currencies, bases, days = (list(column) for column in zip(*needs, strict=True))
    asked = {"tenant_ids": tenant_ids, "currencies": currencies, "bases": bases, "days": days}
    for nth, rate in batch.connection.execute(RATES, asked).all():
        tenant_id, currency, _, day = needs[nth - 1]
        refuse_nonsense(tenant_id, (rate,))
        found.setdefault(tenant_id, {})[currency, day] = rate
    return found


def _needs(batch: Batch, groups: Mapping[str, Mapping[str, list[Any]]]) -> Iterator[Need]:
    for tenant_id, tenant in batch.tenants.items():
        base, today = tenant.base_currency, batch.clocks[tenant_id].today
        own = {family: by_tenant.get(tenant_id, ()) for family, by_tenant in groups.items()}
        pairs = [
            *((group.currency, group.day) for family in _AT_DAY for group in own[family]),
            *((group.currency, group.rate_date) for family in _AT_RATE_DATE for group in own[family]),
            *((group.currency, today) for family in _AT_TODAY for group in own[family]),
            *_of_settlements(own["settlements"]),
        ]
        yield from ((tenant_id, currency, base, day) for currency, day in pairs if currency != base)


def _of_settlements(settlements: Iterable[SettlementGroup]) -> Iterator[tuple[str, date]]:
    for group in settlements:
        yield from group.needs
