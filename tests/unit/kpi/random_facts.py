"""Random facts of one tenant, as the database could hand them over: money in base units, rounded document by document.

They are drawn from a seed and not from one strategy for each field: thousands of tenants take seconds that way.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from random import Random
from typing import Literal, NamedTuple, TypeVar

from hypothesis import strategies as st

from shared.currency import exponent
from shared.snapshot import BUCKETS
from tests.unit.kpi.given import ago, clock, tenant
from workers.facts import (
    AllocationGroup,
    CashSinceGroup,
    ClientActivity,
    ClientGroup,
    CreditGroup,
    ExpenseGroup,
    IncomingGroup,
    InvoiceGroup,
    OpenInvoiceGroup,
    PayableGroup,
    PaymentGroup,
    QuoteGroup,
    Recurring,
    SettlementGroup,
    TenantFacts,
)

FOREIGN = ("EUR", "GBP", "XAF")
CLIENTS = (None, "a", "b", "c", "d", "e")
VENDORS = (None, "v", "w")
FEW = 6


T = TypeVar("T")


class Money(NamedTuple):
    """An amount, and the currency that has no rate (None: it is in base units)."""

    amount: Decimal
    no_rate: str | None


def random_facts(*, last_day: int = 59) -> st.SearchStrategy[TenantFacts]:
    """Tenants whose documents reach that many days back; the same seed is the same tenant."""
    return st.integers(0, 2**63).map(lambda seed: Books(Random(seed), last_day).facts())


class Books:
    """One tenant's documents, each a group of its own."""

    def __init__(self, random: Random, last_day: int) -> None:
        self.random = random
        self.last_day = last_day
        self.base = random.choice(["USD", "JPY", "KWD"])
        # Half of the tenants have a rate for everything.
        self.lacks_rates = random.random() < 0.5

    def facts(self) -> TenantFacts:
        basis = "cash" if self.random.random() < 0.5 else "accrual"
        sales = self.some(self.sale)
        paid = self.some(self.settled) if basis == "cash" else ()
        balance = self.money().amount if self.random.random() < 0.5 else None
        return TenantFacts(
            tenant=tenant(
                base_currency=self.base,
                basis=basis,
                cash_balance=balance,
                cash_balance_on=ago(self.random.randint(-3, 3)),
            ),
            clock=clock(hour=self.random.randint(0, 23)),
            invoices=tuple(invoice for invoice, _ in sales),
            clients=tuple(client for _, client in sales),
            settlements=tuple(settlement for settlement, _ in paid),
            allocations=tuple(allocation for _, allocations in paid for allocation in allocations),
            payments=self.some(self.payment),
            expenses=self.some(self.expense),
            paid_expenses=self.some(self.expense),
            open_invoices=self.some(self.open_invoice),
            credits=self.some(self.credit),
            incoming=self.some(self.incoming),
            payables=self.some(self.payable),
            cash_since=self.some(self.cash_since),
            quotes=self.some(self.quote),
            recurring=self.some(self.template),
            activity=ClientActivity(current=self.random.randint(0, 9), previous=self.random.randint(0, 9)),
            links_known=self.random.random() < 0.8,
            has_documents=True,
        )

    def some(self, make: Callable[[], T]) -> tuple[T, ...]:
        return tuple(make() for _ in range(self.random.randint(0, FEW)))

    def money(self) -> Money:
        """Above 0, small amounts often: that is where roundings show."""
        lacks = self.lacks_rates and self.random.random() < 0.3
        no_rate = self.random.choice(FOREIGN) if lacks else None
        units = self.random.randint(1, 300 if self.random.random() < 0.5 else 10**9)
        return Money(Decimal(units).scaleb(-exponent(no_rate or self.base)), no_rate)

    def day(self) -> date:
        """Today and yesterday often."""
        return ago(self.random.randint(0, 1 if self.random.random() < 0.5 else self.last_day))

    def coming(self) -> date:
        return ago(-self.random.randint(0, 29))

    def sign(self) -> int:
        return self.random.choice([1, 1, 1, -1])

    def sale(self) -> tuple[InvoiceGroup, ClientGroup]:
        """An invoice or a credit note, by day and by client."""
        sign, (amount, no_rate), client = self.sign(), self.money(), self.random.choice(CLIENTS)
        invoice = InvoiceGroup(
            day=self.day(),
            kind="invoice" if sign > 0 else "credit_note",
            no_rate=no_rate,
            documents=1,
            anomalies=self.random.randint(0, 1),
            net=sign * amount,
            gross=sign * amount * 2,
            terms_days=14 if sign > 0 else 0,
            with_terms=1 if sign > 0 else 0,
        )
        return invoice, ClientGroup(client_id=client, name=client, no_rate=no_rate, documents=1, net=sign * amount)

    def settled(self) -> tuple[SettlementGroup, list[AllocationGroup]]:
        """A payment or a refund, and what each of its allocations brought."""
        day, sign = self.day(), self.sign()
        parts = [self.money() for _ in range(self.random.randint(0, 2))]
        lacking = tuple(sorted({part.no_rate for part in parts if part.no_rate}))
        return SettlementGroup(day=day, documents=1, lacking=lacking), [
            AllocationGroup(day=day, no_rate=no_rate, net=sign * amount, since=day) for amount, no_rate in parts
        ]

    def payment(self) -> PaymentGroup:
        sign, (amount, no_rate) = self.sign(), self.money()
        kind: Literal["payment", "refund"] = "payment" if sign > 0 else "refund"
        return PaymentGroup(day=self.day(), kind=kind, no_rate=no_rate, documents=1, amount=sign * amount)

    def expense(self) -> ExpenseGroup:
        """A bill or a vendor credit."""
        sign, (amount, no_rate) = self.sign(), self.money()
        return ExpenseGroup(
            day=self.day(),
            category=self.random.choice([None, "rent", "travel", "tools"]),
            no_rate=no_rate,
            documents=1,
            anomalies=0,
            net=sign * amount,
            gross=sign * amount * 2,
        )

    def open_invoice(self) -> OpenInvoiceGroup:
        (amount, no_rate), client, issued = self.money(), self.random.choice(CLIENTS), self.random.random() < 0.7
        worth = None if no_rate else amount
        return OpenInvoiceGroup(
            client_id=client,
            name=client,
            bucket=self.random.choice(BUCKETS),
            currency=no_rate or self.base,
            documents=1,
            anomalies=0,
            amount=amount,
            base=worth,
            issued_documents=int(issued),
            issued_base=worth if issued else Decimal(0),
            oldest_due=self.random.choice([None, self.day()]),
            largest=worth,
        )

    def credit(self) -> CreditGroup:
        kind, (amount, no_rate) = self.random.choice(["payment", "credit_note", "refund"]), self.money()
        signed = -amount if kind == "refund" else amount
        return CreditGroup(
            client_id=self.random.choice(CLIENTS),
            kind=kind,  # type: ignore[arg-type]
            currency=no_rate or self.base,
            documents=1,
            amount=signed,
            base=None if no_rate else signed,
        )

    def incoming(self) -> IncomingGroup:
        amount, no_rate = self.money()
        return IncomingGroup(day=self.coming(), no_rate=no_rate, documents=1, amount=amount)

    def payable(self) -> PayableGroup:
        """What is owed, or a vendor's credit."""
        (amount, no_rate), vendor = self.money(), self.random.choice(VENDORS)
        if self.random.random() < 0.3:
            return PayableGroup(day=None, vendor=vendor, no_rate=no_rate, documents=1, amount=-amount)
        return PayableGroup(day=self.coming(), vendor=vendor, no_rate=no_rate, documents=1, amount=amount)

    def cash_since(self) -> CashSinceGroup:
        amount, no_rate = self.money()
        return CashSinceGroup(no_rate=no_rate, documents=1, amount=self.sign() * amount, since=ago(2))

    def quote(self) -> QuoteGroup:
        outcome, (amount, no_rate) = self.random.choice(["won", "lost", "open"]), self.money()
        return QuoteGroup(
            window=None if outcome == "open" else self.random.choice(["recent", "current", "previous"]),
            outcome=outcome,  # type: ignore[arg-type]
            no_rate=no_rate,
            documents=1,
            anomalies=0,
            amount=amount,
            since=ago(3),
        )

    def template(self) -> Recurring:
        amount, no_rate = self.money()
        return Recurring(
            kind=self.random.choice(["invoice", "expense"]),
            currency=no_rate or self.base,
            amount=amount,
            base=None if no_rate else amount,
            interval_unit=self.random.choice(["day", "week", "month", "year"]),
            interval_count=self.random.randint(1, 5),
            next_on=ago(self.random.randint(-40, 40)),
            ends_on=self.random.choice([None, ago(self.random.randint(-30, 30))]),
            terms_days=self.random.randint(0, 20),
            newest_document=self.random.choice([None, ago(self.random.randint(-30, 30))]),
        )
