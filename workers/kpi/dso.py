"""How long billing stays unpaid, and how long was agreed: both over the same 90 days. Source: SPEC 4, DSO."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from workers.facts import InvoiceGroup, TenantFacts
from workers.kpi.days import trailing
from workers.kpi.money import ZERO, sum_of

BILLED_DAYS = 90


class Dso(msgspec.Struct, frozen=True, kw_only=True):
    """days, terms_days: None without data. lacking: the currencies without a rate on either side of the ratio."""

    days: Decimal | None
    terms_days: Decimal | None
    lacking: tuple[str, ...]


def dso(facts: TenantFacts) -> Dso:
    """Days sales outstanding: unpaid of what is dated up to today, over what the trailing 90 days billed, tax included.

    None while a document on either side has no rate, and without billing. Unpaid are open invoices less what is unused of
    credit notes; billed are invoices less credit notes. Raises ValueError for an amount that is no number.
    """
    period = trailing(facts.clock.today, BILLED_DAYS)
    issued = [group for group in facts.open_invoices if group.issued_documents]
    notes = [group for group in facts.credits if group.kind == "credit_note"]
    billed = [group for group in facts.invoices if period.first <= group.day <= period.last]
    lacking = {
        *[group.currency for group in issued if group.issued_base is None],
        *[group.lacks or group.currency for group in notes if group.base is None],
        *[group.no_rate for group in billed if group.no_rate is not None],
    }
    unpaid = sum_of([group.issued_base for group in issued if group.issued_base is not None])
    unpaid -= sum_of([group.base for group in notes if group.base is not None])
    billing = sum_of([group.gross for group in billed if group.no_rate is None])
    known = not lacking and billing > 0
    return Dso(
        days=max(unpaid, ZERO) * BILLED_DAYS / billing if known else None,
        terms_days=_terms_days(billed),
        lacking=tuple(sorted(lacking)),
    )


def _terms_days(billed: Sequence[InvoiceGroup]) -> Decimal | None:
    """Mean days between issue and due date of the invoices; None when none of them has a due date."""
    invoices = sum([group.with_terms for group in billed if group.kind == "invoice"])
    days = sum([group.terms_days for group in billed if group.kind == "invoice"])
    return Decimal(days) / invoices if invoices else None
