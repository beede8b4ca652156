"""What clients owe now: pending, overdue, ageing, customer credit, DSO. Balances, at today's rates. Source: SPEC 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shared.snapshot import BUCKETS, OVERDUE, PENDING, Bucket, Metric
from workers.facts import Close, TenantFacts
from workers.kpi.days import trailing, yesterday
from workers.kpi.metrics import count_metric
from workers.kpi.money import ZERO, Converter, trim
from workers.kpi.totals import Leftovers, Total, summed

BILLED_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivables:
    """Open invoices now. Amounts in base units, not rounded; None where documents are there and none is convertible.

    by_currency: what is open in its own currency. dso_days, terms_days: None without data. largest_overdue: the largest
    balance of a single overdue invoice, 0 when there is none.
    """

    buckets: Mapping[Bucket, Total]
    pending_left_out: Leftovers
    overdue_left_out: Leftovers
    by_currency: Mapping[str, Decimal]
    customer_credit: Decimal | None
    dso_days: Decimal | None
    terms_days: Decimal | None
    largest_overdue: Decimal

    @property
    def pending(self) -> Total:
        """Open and not yet due, or without a due date."""
        return self.buckets["current"]

    @property
    def overdue(self) -> Total:
        """Open and past the due date: the four later buckets."""
        return summed(self.buckets[bucket] for bucket in BUCKETS if bucket != "current")

    @property
    def open(self) -> Total:
        """Everything outstanding."""
        return summed(self.buckets.values())


def receivables(facts: TenantFacts, converter: Converter) -> Receivables:
    """The open invoices added up. Raises ValueError for an amount that is no number."""
    buckets = {bucket: Total() for bucket in BUCKETS}
    pending_left_out, overdue_left_out = Leftovers(), Leftovers()
    by_currency: dict[str, Decimal] = {}
    for group in facts.open_invoices:
        converted = converter.balance(group.amount, group.currency, group.own_base)
        buckets[group.bucket].add(converted, group.documents, group.anomalies)
        by_currency[group.currency] = by_currency.get(group.currency, ZERO) + group.amount
        if converted is None:
            left_out = pending_left_out if group.bucket == "current" else overdue_left_out
            left_out.add(group.currency, group.amount, group.documents)
    return Receivables(
        buckets=buckets,
        pending_left_out=pending_left_out,
        overdue_left_out=overdue_left_out,
        by_currency=by_currency,
        customer_credit=_customer_credit(facts, converter),
        dso_days=_dso_days(summed(buckets.values()).value, _billed(facts, converter).value),
        terms_days=_terms_days(facts),
        largest_overdue=_largest_overdue(facts, converter),
    )


def pending_metric(facts: TenantFacts, now: Receivables) -> Metric:
    """Pending Invoices: how many are open and not yet due, with their amount."""
    close = _close_of(facts, yesterday(facts.clock.today))
    return count_metric(
        facts,
        PENDING,
        now.pending.documents,
        close.pending if close else None,
        looked_at=now.open,
        left_out=now.pending_left_out,
        amount=now.pending.value,
    )


def overdue_metric(facts: TenantFacts, now: Receivables) -> Metric:
    """Overdue Invoices: how many are open past their due date, with their amount."""
    close = _close_of(facts, yesterday(facts.clock.today))
    return count_metric(
        facts,
        OVERDUE,
        now.overdue.documents,
        close.overdue if close else None,
        looked_at=now.open,
        left_out=now.overdue_left_out,
        amount=now.overdue.value,
    )


def _close_of(facts: TenantFacts, day: date) -> Close | None:
    return next((close for close in facts.closes if close.day == day), None)


def _customer_credit(facts: TenantFacts, converter: Converter) -> Decimal | None:
    total = Total()
    for group in facts.credits:
        total.add(converter.balance(group.amount, group.currency, group.own_base), group.documents)
    return None if total.value is None else max(total.value, ZERO)


def _largest_overdue(facts: TenantFacts, converter: Converter) -> Decimal:
    overdue = (group for group in facts.open_invoices if group.bucket != "current")
    amounts = (converter.balance(group.largest, group.currency, group.largest_own_base) for group in overdue)
    return max((amount for amount in amounts if amount is not None), default=ZERO)


def _billed(facts: TenantFacts, converter: Converter) -> Total:
    """Invoices less credit notes of the trailing 90 days, tax included."""
    period = trailing(facts.clock.today, BILLED_DAYS)
    total = Total()
    for group in facts.invoices:
        if group.day in period:
            total.add(converter.flow(group.gross, group.currency, group.day), group.documents)
    return total


def _dso_days(outstanding: Decimal | None, billed: Decimal | None) -> Decimal | None:
    """Days sales outstanding: how many days of billing are still unpaid; None without billing."""
    if outstanding is None or billed is None or trim(billed) <= 0:
        return None
    return outstanding / billed * BILLED_DAYS


def _terms_days(facts: TenantFacts) -> Decimal | None:
    """Mean days between issue and due date of the same invoices; None when none of them has a due date."""
    period = trailing(facts.clock.today, BILLED_DAYS)
    groups = [group for group in facts.invoices if group.kind == "invoice" and group.day in period]
    invoices = sum(group.with_terms for group in groups)
    return Decimal(sum(group.terms_days for group in groups)) / invoices if invoices else None
