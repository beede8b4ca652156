"""What clients owe now: pending, overdue, ageing, by whom. Balances, at today's rates. Source: SPEC 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from shared.snapshot import BUCKETS, OVERDUE, PENDING, Bucket, Metric
from workers.facts import Close, OpenInvoiceGroup, RebuiltClose, TenantFacts
from workers.kpi.days import yesterday
from workers.kpi.metrics import count_metric
from workers.kpi.money import ZERO
from workers.kpi.totals import Total, Totals, summed, worth

OpenBalance = tuple[OpenInvoiceGroup, str | None, Decimal]
"""A group, the currency that has no rate (None: it converts), and the balance in it or in base units."""


class Receivables(msgspec.Struct, frozen=True, kw_only=True):
    """Open invoices now, in base units.

    balances: what all of it is made of. open: everything outstanding; pending: not yet due, or without a due date; overdue:
    past it, which are the four later buckets. by_currency: what is open in its own currency. largest_overdue: the group that
    holds the single overdue invoice with the largest balance in base units; None when there is none.
    """

    buckets: Totals[Bucket]
    pending: Total
    open: Total
    overdue: Total
    by_currency: Mapping[str, Decimal]
    balances: Sequence[OpenBalance]
    largest_overdue: OpenInvoiceGroup | None


def receivables(facts: TenantFacts) -> Receivables:
    """The open invoices added up. Raises ValueError for an amount that is no number."""
    balances: list[OpenBalance] = [(group, *worth(group)) for group in facts.open_invoices]
    buckets: Totals[Bucket] = Totals()
    buckets.add(
        [(group.bucket, no_rate, amount, group.documents, group.anomalies) for group, no_rate, amount in balances]
    )
    by_currency: dict[str, Decimal] = {}
    for group in facts.open_invoices:
        by_currency[group.currency] = by_currency.get(group.currency, ZERO) + group.amount
    late = [group for group in facts.open_invoices if group.bucket != "current" and group.largest is not None]
    return Receivables(
        balances=balances,
        buckets=buckets,
        pending=buckets.total("current"),
        open=buckets.whole(),
        overdue=summed(buckets.total(bucket) for bucket in BUCKETS if bucket != "current"),
        by_currency=by_currency,
        largest_overdue=max(late, key=_largest, default=None),
    )


def _largest(group: OpenInvoiceGroup) -> tuple[Decimal, str]:
    return group.largest or ZERO, group.largest_id or ""


def pending_metric(facts: TenantFacts, now: Receivables) -> Metric:
    """Pending Invoices: how many are open and not yet due, with their amount."""
    before = _yesterday(facts)
    return _count_of_invoices(facts, PENDING, now.pending, now.open, before.pending if before else None)


def overdue_metric(facts: TenantFacts, now: Receivables) -> Metric:
    """Overdue Invoices: how many are open past their due date, with their amount."""
    before = _yesterday(facts)
    return _count_of_invoices(facts, OVERDUE, now.overdue, now.open, before.overdue if before else None)


def _count_of_invoices(facts: TenantFacts, name: str, counted: Total, looked_at: Total, previous: int | None) -> Metric:
    return count_metric(
        facts,
        name,
        counted.documents,
        previous,
        looked_at=looked_at,
        counted=counted,
        amount=counted.value,
        rebuilt=facts.rebuilt is not None,
    )


def _yesterday(facts: TenantFacts) -> Close | RebuiltClose | None:
    """How yesterday ended, as kept, or on the first day as it can be worked out; None where a day has been missed."""
    day = yesterday(facts.clock.today)
    return facts.rebuilt or next((close for close in facts.closes if close.day == day), None)
