"""Writes the documents of one business, as its accounting product would: numbers them, taxes them, keeps the balances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from demo.businesses import Business
from demo.rates import rate
from demo.rows import Allocation, Books, Client, Expense, Invoice, Payment, Quote, Tenant, balances
from shared.currency import exponent

# Before the recent days business was slower, and suppliers were paid once in four weeks.
EARLY_SHARE = 0.25
# What the accounts held last night, in usual invoices.
INVOICES_OF_CASH = 12


def in_cents(amount: Decimal, currency: str) -> Decimal:
    """The amount in whole minor units of its currency."""
    return amount.quantize(Decimal(1).scaleb(-exponent(currency)), ROUND_HALF_UP)


def price(business: Business, units: Decimal, currency: str, day: date) -> Decimal:
    """`units` of the business's usual invoice in any currency, as one would charge it: in steps, never nothing."""
    amount = business.typical * units
    step = business.price_step
    if currency != business.currency:
        amount, step = amount * rate(business.currency, currency, day), Decimal(10)
    return in_cents(max(step, (amount / step).quantize(Decimal(1)) * step), currency)


def tax_on(business: Business, net: Decimal, currency: str) -> Decimal:
    """Tax on a sale: only at home, exports carry none."""
    percent = business.tax_percent if currency == business.currency else Decimal(0)
    return in_cents(net * percent / 100, currency)


class Ledger:
    """The books of one business while they are written; `closed` hands them over with every balance filled in."""

    def __init__(self, business: Business, today: date, *, number: Callable[[str], str] | None = None) -> None:
        """`number` names the next document of a kind, given its prefix; without it they count from 1."""
        self.business = business
        self.today = today
        self._number = number or self._next
        self._numbers: Counter[str] = Counter()
        tenant_id = self.tenant_id = business.tenant_id
        self.books = Books(
            tenant=Tenant(
                tenant_id=tenant_id,
                name=business.name,
                timezone=business.timezone,
                base_currency=business.currency,
                fiscal_year_start_month=business.fiscal_year_start_month,
                basis=business.basis,
                cash_balance=in_cents(business.typical * INVOICES_OF_CASH, business.currency)
                if business.clients
                else None,
                cash_balance_on=today - timedelta(1) if business.clients else None,
            ),
            clients=[
                Client(tenant_id=tenant_id, client_id=f"C-{place:02d}", name=name)
                for place, name in enumerate(business.clients, start=1)
            ],
        )

    def invoice(
        self,
        issued: date,
        units: Decimal,
        client_id: str,
        *,
        currency: str | None = None,
        terms_days: int | None = 30,
        kind: str = "invoice",
        status: str = "posted",
        own_rate: bool = False,
    ) -> Invoice:
        """An invoice or credit note of so many `typical`; `own_rate` books it at the rate of its day."""
        currency = currency or self.business.currency
        net = price(self.business, units, currency, issued)
        tax = tax_on(self.business, net, currency)
        number = self._number("INV" if kind == "invoice" else "CN")
        invoice = Invoice(
            tenant_id=self.tenant_id,
            invoice_id=number,
            reference=number,
            client_id=client_id,
            kind=kind,
            status=status,
            issue_date=issued,
            due_date=None if terms_days is None or kind != "invoice" else issued + timedelta(terms_days),
            currency=currency,
            total=net + tax,
            tax=tax,
            base_rate=rate(currency, self.business.currency, issued) if own_rate else None,
        )
        self.books.invoices.append(invoice)
        return invoice

    def amend(self, invoice: Invoice, changed: Invoice) -> Invoice:
        """Put another version of an invoice in its place."""
        self.books.invoices[self.books.invoices.index(invoice)] = changed
        return changed

    def pay(self, invoice: Invoice, on: date, amount: Decimal, *, surplus: Decimal = Decimal(0)) -> Payment:
        """A payment of `amount` for an invoice, and of a surplus that pays for nothing yet."""
        payment = self.payment(invoice, on, amount + surplus)
        self.allocate("payment", payment.payment_id, invoice, amount, on)
        return payment

    def payment(
        self, invoice: Invoice, on: date, amount: Decimal, *, kind: str = "payment", status: str = "succeeded"
    ) -> Payment:
        """Money from the invoice's client, or back to it; what it pays for is told by `allocate`."""
        payment = Payment(
            tenant_id=self.tenant_id,
            payment_id=self._number("PAY" if kind == "payment" else "REF"),
            client_id=invoice.client_id,
            kind=kind,
            status=status,
            paid_on=on,
            currency=invoice.currency,
            amount=amount,
            base_rate=invoice.base_rate and rate(invoice.currency, self.business.currency, on),
        )
        self.books.payments.append(payment)
        return payment

    def allocate(self, source_kind: str, source_id: str, invoice: Invoice, amount: Decimal, on: date) -> None:
        """Let a payment, refund or credit note count towards an invoice."""
        self.books.allocations.append(
            Allocation(
                tenant_id=self.tenant_id,
                allocation_id=self._number("ALL"),
                source_kind=source_kind,
                source_id=source_id,
                invoice_id=invoice.invoice_id,
                amount=amount,
                allocated_on=on,
            )
        )

    def expense(
        self,
        day: date,
        units: Decimal,
        category: str,
        vendor: str,
        *,
        net_days: int = 0,
        taxed: bool = True,
        status: str = "posted",
        recurring_id: str | None = None,
    ) -> Expense:
        """Something bought, paid after `net_days` if that day has come; negative units are a vendor's credit."""
        currency = self.business.currency
        net = in_cents(self.business.typical * units, currency)
        tax = tax_on(self.business, net, currency) if taxed else Decimal(0)
        due = day + timedelta(net_days)
        expense = Expense(
            tenant_id=self.tenant_id,
            expense_id=self._number("EXP"),
            category=category,
            vendor=vendor,
            status=status,
            expense_date=day,
            due_date=due if net_days else None,
            paid_on=due if due <= self.today and status == "posted" and units > 0 else None,
            currency=currency,
            total=net + tax,
            tax=tax,
            recurring_id=recurring_id,
        )
        self.books.expenses.append(expense)
        return expense

    def quote(
        self,
        issued: date,
        units: Decimal,
        client_id: str,
        status: str,
        *,
        decided_on: date | None = None,
        invoice_id: str | None = None,
    ) -> Quote:
        """An offer that stands for 30 days."""
        number = self._number("QUO")
        quote = Quote(
            tenant_id=self.tenant_id,
            quote_id=number,
            reference=number,
            client_id=client_id,
            status=status,
            issue_date=issued,
            expiry_date=issued + timedelta(30),
            decided_on=decided_on,
            invoice_id=invoice_id,
            currency=self.business.currency,
            total=price(self.business, units, self.business.currency, issued),
        )
        self.books.quotes.append(quote)
        return quote

    def closed(self) -> Books:
        """The books, every posted invoice with its balance at the end of today."""
        left = balances(self.books, self.today)
        self.books.invoices = [replace(i, balance=left.get(i.invoice_id)) for i in self.books.invoices]
        return self.books

    def _next(self, prefix: str) -> str:
        self._numbers[prefix] += 1
        return f"{prefix}-{self._numbers[prefix]:05d}"
