"""Makes up the history of a business: the same for the same business and day, whatever machine it runs on.

Every day's chance is seeded by its date alone, so nothing that one day draws moves the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from demo.businesses import RETAINERS, Business
from demo.costs import buy, plan
from demo.exceptions import write_exceptions
from demo.ledger import EARLY_SHARE, Ledger
from demo.rows import Books, Invoice

RECENT_DAYS = 90
WEEKEND_SHARE = 0.5
QUOTE_EVERY_DAYS = 4
QUOTE_HISTORY_DAYS = 180
QUOTE_SIZE = Decimal("1.2")
TERMS_DAYS = (14, 14, 30, 30, 45)
SIZES = tuple(map(Decimal, ("0.4", "0.6", "0.8", "1", "1.2", "1.6", "2.2")))


def generated_books(business: Business, today: date) -> Books:
    """All rows of a made-up business whose newest business day is `today`."""
    ledger = Ledger(business, today)
    if business.clients:
        for day in _days(business, today):
            _sell(ledger, day)
            buy(ledger, _chance(ledger, "costs", day), day, early=(today - day).days > RECENT_DAYS)
        _wait_for_late_payers(ledger)
        _offer(ledger)
        plan(ledger)
        write_exceptions(ledger)
    return ledger.closed()


def _days(business: Business, today: date) -> Iterator[date]:
    for age in range(business.history_days, -1, -1):
        yield today - timedelta(age)


def _chance(ledger: Ledger, purpose: str, day: date) -> Random:
    return Random(f"{ledger.tenant_id} {purpose} {day}")


def _sell(ledger: Ledger, day: date) -> None:
    """The day's invoices, and what was paid of them by today."""
    business, chance = ledger.business, _chance(ledger, "sales", day)
    age = (ledger.today - day).days
    if day.day == 1:
        for place, units in RETAINERS:
            client_id = ledger.books.clients[place].client_id
            _collect(ledger, chance, ledger.invoice(day, units * business.pace, client_id, terms_days=14))
    usual = business.invoices_per_day * (EARLY_SHARE if age > RECENT_DAYS else 1)
    if day.weekday() in business.weekend:
        usual *= WEEKEND_SHARE
    # Whoever opens the demo should find something that happened today, and something to compare it with.
    least = {0: 3, 1: 2}.get(age, 0)
    growth = Decimal(business.history_days - age) / business.history_days / 4
    for _ in range(max(least, int(usual + chance.random()))):
        units = (
            chance.choice(SIZES[2:] if age == 0 else SIZES)
            * Decimal(chance.randint(90, 110))
            / 100
            * (Decimal("0.75") + growth)
        )
        currency = usual_currency(business, chance)
        invoice = ledger.invoice(
            day,
            units,
            usual_client(ledger, chance),
            currency=currency,
            terms_days=chance.choice(TERMS_DAYS),
            own_rate=chance.random() < 0.5 and currency in business.quoted,
        )
        _collect(ledger, chance, invoice)
    if age == 0 and not any(p.paid_on == day for p in ledger.books.payments):
        _collect_today(ledger)


def usual_currency(business: Business, chance: Random) -> str:
    """The business's own currency, or one that it sells in by its share."""
    at = chance.random()
    for currency, share in business.foreign:
        at -= share
        if at < 0:
            return currency
    return business.currency


def usual_client(ledger: Ledger, chance: Random) -> str:
    """Any client, the first ones more often."""
    clients = ledger.books.clients
    return clients[min(chance.randrange(len(clients)), chance.randrange(len(clients)))].client_id


def _collect(ledger: Ledger, chance: Random, invoice: Invoice) -> None:
    """Payments on or before the due date, as far as it has come: one, or now and then two halves."""
    terms_days = (invoice.due_date - invoice.issue_date).days if invoice.due_date else TERMS_DAYS[-1]
    last = invoice.issue_date + timedelta(chance.randint(2, terms_days))
    half = (invoice.total / 2).quantize(Decimal(1)) if chance.random() < 0.12 else Decimal(0)
    first = invoice.issue_date + timedelta(terms_days // 3)
    if half and first < last:
        if first <= ledger.today:
            ledger.pay(invoice, first, half)
    else:
        half = Decimal(0)
    if last <= ledger.today:
        ledger.pay(invoice, last, invoice.total - half)


def _collect_today(ledger: Ledger) -> None:
    """One open invoice is paid today, on a day that would otherwise see no money."""
    begun = {allocation.invoice_id for allocation in ledger.books.allocations}
    invoice = next(i for i in ledger.books.invoices if i.invoice_id not in begun)
    ledger.pay(invoice, ledger.today, invoice.total)


def _wait_for_late_payers(ledger: Ledger) -> None:
    """Invoices past their due date, every third of them half paid."""
    business = ledger.business
    for place, days_late in enumerate(business.late):
        issued = ledger.today - timedelta(days_late + 30)
        client = ledger.books.clients[(3 * place + 1) % len(ledger.books.clients)]
        currency = business.foreign[0][0] if place % 4 == 3 else business.currency
        invoice = ledger.invoice(issued, SIZES[place % 4], client.client_id, currency=currency, terms_days=30)
        if place % 3 == 2:
            ledger.pay(invoice, issued + timedelta(20), (invoice.total / 2).quantize(Decimal(1)))


def _offer(ledger: Ledger) -> None:
    """Quotes: most are decided after one to three weeks, somewhat more than half of them well."""
    for age in range(QUOTE_HISTORY_DAYS, -1, -QUOTE_EVERY_DAYS):
        issued = ledger.today - timedelta(age)
        chance = _chance(ledger, "quotes", issued)
        client_id, units = usual_client(ledger, chance), chance.choice(SIZES) * QUOTE_SIZE * ledger.business.pace
        decided_on, fate = issued + timedelta(chance.randint(4, 21)), chance.random()
        if fate >= 0.9 or decided_on > ledger.today:
            # Never answered: it expires by itself when its time is over.
            ledger.quote(issued, units, client_id, "sent")
        elif fate < 0.35:
            invoice = ledger.invoice(decided_on, units, client_id)
            _collect(ledger, chance, invoice)
            ledger.quote(issued, units, client_id, "converted", decided_on=decided_on, invoice_id=invoice.invoice_id)
        else:
            status = "accepted" if fate < 0.58 else "declined" if fate < 0.82 else "expired"
            ledger.quote(issued, units, client_id, status, decided_on=decided_on)
