"""Which currencies lack an exchange rate among what is shown, and since when. Source: SPEC 4, rule 4."""

from __future__ import annotations

from datetime import date

from shared.snapshot import DataIssue
from workers.facts import TenantFacts
from workers.kpi.forecast import expected_days

Lack = tuple[str | None, date | None]


def missing_rates(facts: TenantFacts) -> tuple[DataIssue, ...]:
    """One issue for each currency, by code; since: the first day for which a rate was looked for and not found."""
    base, today = facts.tenant.base_currency, facts.clock.today
    since: dict[str, date] = {}
    for currency, day in [*_flows(facts), *_balances(facts), *_coming(facts)]:
        if currency is not None and currency != base:
            since[currency] = min(since.get(currency, date.max), day or today)
    return tuple(
        [
            DataIssue(
                code="missing_rate",
                detail=f"No exchange rate from {currency} to {base} since {day.isoformat()}",
                currency=currency,
                since=day,
            )
            for currency, day in sorted(since.items())
        ]
    )


def _flows(facts: TenantFacts) -> list[Lack]:
    """Of the windows that are shown. On cash basis an expense has no place before it is paid.

    Money, expenses and revenue are shown as far back as any period reaches.
    """
    dated = facts.expenses if facts.tenant.basis == "accrual" else ()
    return [
        *[(group.no_rate, group.day) for group in facts.invoices if group.no_rate],
        *[(group.no_rate, group.day) for group in facts.payments if group.no_rate],
        *[(group.no_rate, group.day) for group in dated if group.no_rate],
        *[(group.no_rate, group.day) for group in facts.paid_expenses if group.no_rate],
        *[(kept.no_rate, kept.since) for kept in facts.kept.totals if kept.no_rate],
        *[(group.no_rate, group.since) for group in facts.allocations if group.no_rate],
        *[(group.no_rate, group.since) for group in facts.cash_since if group.no_rate],
        # Of the 90 days before, only the ratio of counts is shown.
        *[
            (group.no_rate, group.since)
            for group in facts.quotes
            if group.no_rate and group.window in ("recent", "current")
        ],
    ]


def _balances(facts: TenantFacts) -> list[Lack]:
    """Looked for today."""
    # Where links are not known, only what is unused of credit notes is looked at.
    credits = [c for c in facts.credits if c.base is None and (facts.links_known or c.kind == "credit_note")]
    return [
        *[(group.currency, None) for group in facts.open_invoices if group.base is None],
        *[(credit.lacks or credit.currency, credit.since) for credit in credits],
        *[(group.no_rate, None) for group in facts.quotes if group.no_rate and group.outcome == "open"],
    ]


def _coming(facts: TenantFacts) -> list[Lack]:
    """Looked for today, of what is expected."""
    without_rate = [template for template in facts.recurring if template.base is None]
    return [
        *[(group.no_rate, None) for group in facts.incoming if group.no_rate],
        *[
            (group.no_rate, None)
            for group in facts.payables
            if group.no_rate and (group.day or group.vendor is not None)
        ],
        *[
            (template.currency, None)
            for template in without_rate
            if next(expected_days(template, facts.clock.today), None) is not None
        ],
    ]
