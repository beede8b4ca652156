"""How long billing stays unpaid, and how long was agreed: both over the same 90 days. Source: SPEC 4, DSO."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from workers.facts import CreditGroup, OpenInvoiceGroup, TenantFacts
from workers.kpi.days import trailing
from workers.kpi.money import ZERO
from workers.kpi.totals import Documents, Total

BILLED_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Dso:
    """days, terms_days: None without data. lacking: the currencies without a rate on either side of the ratio."""

    days: Decimal | None
    terms_days: Decimal | None
    lacking: tuple[str, ...]


def dso(facts: TenantFacts) -> Dso:
    """Days sales outstanding: unpaid of what is dated up to today, over what the trailing 90 days billed.

    None while a document on either side has no rate, and without billing. Raises ValueError for an amount that is no
    number.
    """
    unpaid, billed = _unpaid(facts), _billed(facts)
    lacking = tuple(sorted({*unpaid.lacking, *billed.lacking}))
    known = not lacking and billed.amount > 0
    return Dso(
        days=max(unpaid.amount, ZERO) * BILLED_DAYS / billed.amount if known else None,
        terms_days=_terms_days(facts),
        lacking=lacking,
    )


def _unpaid(facts: TenantFacts) -> Total:
    """Open invoices dated up to today, less what is unused of credit notes."""
    total = Total()
    total.add_all(_issued(group) for group in facts.open_invoices if group.issued_documents)
    total.add_all(_unused(group) for group in facts.credits if group.kind == "credit_note")
    return total


def _issued(group: OpenInvoiceGroup) -> Documents:
    base = group.issued_base
    return (
        (group.currency, ZERO, group.issued_documents, 0) if base is None else (None, base, group.issued_documents, 0)
    )


def _unused(group: CreditGroup) -> Documents:
    if group.base is None:
        return group.lacks or group.currency, ZERO, group.documents, 0
    return None, group.base.copy_negate(), group.documents, 0


def _billed(facts: TenantFacts) -> Total:
    """Invoices less credit notes of the trailing 90 days, tax included."""
    period = trailing(facts.clock.today, BILLED_DAYS)
    total = Total()
    total.add_all((group.no_rate, group.gross, group.documents, 0) for group in facts.invoices if group.day in period)
    return total


def _terms_days(facts: TenantFacts) -> Decimal | None:
    """Mean days between issue and due date of the same invoices; None when none of them has a due date."""
    period = trailing(facts.clock.today, BILLED_DAYS)
    groups = [group for group in facts.invoices if group.kind == "invoice" and group.day in period]
    invoices = sum(group.with_terms for group in groups)
    return Decimal(sum(group.terms_days for group in groups)) / invoices if invoices else None
