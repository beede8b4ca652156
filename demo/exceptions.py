"""The documents that make bookkeeping hard, one or two of each: credits, refunds, surpluses, write-offs, drafts, mistakes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from demo.ledger import Ledger
from demo.rows import Invoice

ONE = Decimal(1)
HALF = Decimal("0.5")


def write_exceptions(ledger: Ledger) -> None:
    """Add them to the books of a business that has at least eight clients."""
    _credits(ledger)
    _surplus_and_refunds(ledger)
    _not_counted(ledger)
    _suppliers(ledger)
    if ledger.business.anomalies:
        _anomalies(ledger)
    _abroad(ledger)


def _invoice(ledger: Ledger, age_days: int, client: int, units: Decimal = ONE, *, terms_days: int = 30) -> Invoice:
    client_id = ledger.books.clients[client].client_id
    return ledger.invoice(_ago(ledger, age_days), units, client_id, terms_days=terms_days)


def _ago(ledger: Ledger, days: int) -> date:
    return ledger.today - timedelta(days)


def _credits(ledger: Ledger) -> None:
    """A credit note that lowers an invoice whose rest is paid, and one that is not used yet."""
    invoice = _invoice(ledger, 21, 2)
    note = ledger.invoice(_ago(ledger, 6), Decimal("0.2"), ledger.books.clients[2].client_id, kind="credit_note")
    ledger.allocate("credit_note", note.invoice_id, invoice, note.total, note.issue_date)
    ledger.pay(invoice, _ago(ledger, 2), invoice.total - note.total)
    ledger.invoice(_ago(ledger, 19), Decimal("0.1"), ledger.books.clients[4].client_id, kind="credit_note")


def _surplus_and_refunds(ledger: Ledger) -> None:
    """Paid too much, part of it given back; paid and half refunded, so open again; written off."""
    overpaid = _invoice(ledger, 35, 6)
    ledger.pay(overpaid, _ago(ledger, 9), overpaid.total, surplus=_share(overpaid, 5))
    ledger.payment(overpaid, _ago(ledger, 4), _share(overpaid, 10), kind="refund")

    reopened = _invoice(ledger, 24, 1, HALF)
    ledger.pay(reopened, _ago(ledger, 12), reopened.total)
    refund = ledger.payment(reopened, _ago(ledger, 3), _share(reopened, 2), kind="refund")
    ledger.allocate("refund", refund.payment_id, reopened, refund.amount, refund.paid_on)

    lost = _invoice(ledger, 180, 7, HALF)
    ledger.amend(lost, replace(lost, written_off_on=_ago(ledger, 33)))


def _share(invoice: Invoice, part: int) -> Decimal:
    return (invoice.total / part).quantize(ONE)


def _not_counted(ledger: Ledger) -> None:
    """Drafts, voids, and payments that failed or are still under way."""
    clients = ledger.books.clients
    ledger.invoice(_ago(ledger, 0), 2 * ONE, clients[0].client_id, status="draft")
    ledger.invoice(_ago(ledger, 3), ONE, clients[5].client_id, status="draft")
    ledger.invoice(_ago(ledger, 10), 3 * ONE, clients[3].client_id, status="void")
    waiting = _invoice(ledger, 5, 3, HALF)
    ledger.payment(waiting, _ago(ledger, 1), waiting.total, status="failed")
    ledger.payment(waiting, _ago(ledger, 0), waiting.total, status="pending")
    ledger.quote(_ago(ledger, 1), ONE, clients[2].client_id, "draft")
    ledger.quote(_ago(ledger, 15), ONE, clients[2].client_id, "void")


def _suppliers(ledger: Ledger) -> None:
    """A supplier's credit, a bill not yet approved and one withdrawn."""
    ledger.expense(_ago(ledger, 7), Decimal("-0.15"), "Office", "Corner Stationery")
    ledger.expense(_ago(ledger, 1), HALF, "Contractors", "Freelance Pool", net_days=30, status="draft")
    ledger.expense(_ago(ledger, 11), HALF, "Advertising", "Brightline Ads", net_days=14, status="void")


def _anomalies(ledger: Ledger) -> None:
    """What lowers a metric's confidence: no due date, no tax, a date in the future."""
    client_id = ledger.books.clients[4].client_id
    ledger.invoice(_ago(ledger, 8), HALF, client_id, terms_days=None)
    untaxed = _invoice(ledger, 13, 5, HALF)
    ledger.amend(untaxed, replace(untaxed, tax=None))
    ledger.invoice(_ago(ledger, -2), HALF, client_id)


def _abroad(ledger: Ledger) -> None:
    """An open invoice in each foreign currency: on some days chance leaves none."""
    for currency, _ in ledger.business.foreign:
        ledger.invoice(_ago(ledger, 4), HALF, ledger.books.clients[1].client_id, currency=currency)
