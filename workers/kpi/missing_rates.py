"""Which currencies lack an exchange rate among what is shown, and since when. Source: SPEC 4, rule 4."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from shared.snapshot import DataIssue
from workers.facts import TenantFacts
from workers.kpi.forecast import expected_days

Lack = tuple[str | None, date | None]


def missing_rates(facts: TenantFacts) -> tuple[DataIssue, ...]:
    """One issue for each currency, by code; since: the first day for which a rate was looked for and not found."""
    base, today = facts.tenant.base_currency, facts.clock.today
    since: dict[str, date] = {}
    for currency, day in (*_flows(facts), *_balances(facts)):
        if currency is not None and currency != base:
            since[currency] = min(since.get(currency, date.max), day or today)
    return tuple(
        DataIssue(
            code="missing_rate",
            detail=f"No exchange rate from {currency} to {base} since {day.isoformat()}",
            currency=currency,
            since=day,
        )
        for currency, day in sorted(since.items())
    )


def _flows(facts: TenantFacts) -> Iterator[Lack]:
    """Of the windows that are shown. On cash basis an expense has no place before it is paid.

    Money, expenses and revenue are shown as far back as any period reaches.
    """
    dated = facts.expenses if facts.tenant.basis == "accrual" else ()
    for groups in (facts.invoices, facts.payments, dated, facts.paid_expenses):
        yield from ((group.no_rate, group.day) for group in groups if group.no_rate)
    yield from ((kept.no_rate, kept.since) for kept in facts.kept.totals if kept.no_rate)
    yield from ((group.no_rate, group.since) for group in facts.allocations if group.no_rate)
    yield from ((group.no_rate, group.since) for group in facts.cash_since)
    # Of the 90 days before, only the ratio of counts is shown.
    yield from ((group.no_rate, group.since) for group in facts.quotes if group.window in ("recent", "current"))


def _balances(facts: TenantFacts) -> Iterator[Lack]:
    """Looked for today."""
    yield from ((group.currency, None) for group in facts.open_invoices if group.base is None)
    for credit in facts.credits:
        # Where links are not known, only what is unused of credit notes is looked at.
        if credit.base is None and (facts.links_known or credit.kind == "credit_note"):
            yield credit.lacks or credit.currency, credit.since
    yield from ((group.no_rate, None) for group in facts.quotes if group.outcome == "open")
    yield from ((group.no_rate, None) for group in facts.incoming)
    yield from ((group.no_rate, None) for group in facts.payables if group.day or group.vendor is not None)
    for template in facts.recurring:
        if template.base is None and next(expected_days(template, facts.clock.today), None) is not None:
            yield template.currency, None
