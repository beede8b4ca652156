"""The documents of the cash forecast: what the accounts hold, what is expected, and what vendor credits lessen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

from workers.facts import Recurring, Tenant
from workers.kpi.forecast import expected_days
from workers.kpi.money import ZERO, exact, money
from workers.receipts.document import Document


def opening(tenant: Tenant, today: date, carried: Iterable[Document]) -> Iterator[Document]:
    """The balance that the host tells, and the cash flow that brings it to the end of yesterday; nothing without one."""
    if tenant.cash_balance is None or tenant.cash_balance_on is None:
        return
    yield Document(
        kind="cash_balance",
        date=tenant.cash_balance_on,
        amount=tenant.cash_balance,
        currency=tenant.base_currency,
        base_amount=tenant.cash_balance,
    )
    for document in carried:
        yield document.negative() if tenant.cash_balance_on >= today else document


def lessened(bills: Iterable[Document]) -> Iterator[Document]:
    """Bills as they are, and of vendor credits what is used up: no more than what the same vendor is owed."""
    owed: dict[str, Decimal] = {}
    credits: list[Document] = []
    for bill in bills:
        if bill.date is None:
            credits.append(bill)
            continue
        if bill.vendor is not None and bill.base_amount is not None:
            owed[bill.vendor] = owed.get(bill.vendor, ZERO) - bill.base_amount
        yield bill
    for credit in credits:
        if credit.base_amount is None or credit.vendor is None:
            yield credit
            continue
        used = min(credit.base_amount, owed.get(credit.vendor, ZERO))
        owed[credit.vendor] = owed.get(credit.vendor, ZERO) - used
        if used > 0:
            with exact():
                share = money(credit.amount * used / credit.base_amount, credit.currency)
            yield replace(credit, amount=share, base_amount=used)


def occurrences(template: Recurring, recurring_id: str, today: date) -> Iterator[Document]:
    """What the template brings or costs on each day of the coming thirty."""
    sign = 1 if template.kind == "invoice" else -1
    for day in expected_days(template, today):
        yield Document(
            kind="recurring",
            id=recurring_id,
            date=day,
            amount=sign * template.amount,
            currency=template.currency,
            base_amount=None if template.base is None else sign * template.base,
        )
