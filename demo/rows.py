"""The rows of the contract's tables as the demo writes them: one type per table, fields named as its columns (SPEC 3)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the table that its type names."""

    table: ClassVar[str]
    tenant_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant(Row):
    table: ClassVar[str] = "tenant"
    name: str
    timezone: str
    base_currency: str
    fiscal_year_start_month: int = 1
    basis: str = "accrual"
    cash_balance: Decimal | None = None
    cash_balance_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Client(Row):
    table: ClassVar[str] = "client"
    client_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice(Row):
    table: ClassVar[str] = "invoice"
    invoice_id: str
    client_id: str | None
    reference: str | None = None
    kind: str = "invoice"
    status: str = "posted"
    issue_date: date
    due_date: date | None = None
    currency: str
    total: Decimal
    tax: Decimal | None
    balance: Decimal | None = None
    base_rate: Decimal | None = None
    written_off_on: date | None = None
    recurring_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment(Row):
    table: ClassVar[str] = "payment"
    payment_id: str
    client_id: str | None
    reference: str | None = None
    kind: str = "payment"
    status: str = "succeeded"
    paid_on: date
    currency: str
    amount: Decimal
    base_rate: Decimal | None = None
    unapplied: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation(Row):
    table: ClassVar[str] = "allocation"
    allocation_id: str
    source_kind: str
    source_id: str
    invoice_id: str
    amount: Decimal
    allocated_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expense(Row):
    table: ClassVar[str] = "expense"
    expense_id: str
    reference: str | None = None
    category: str | None
    vendor: str | None
    status: str = "posted"
    expense_date: date
    due_date: date | None = None
    paid_on: date | None = None
    currency: str
    total: Decimal
    tax: Decimal | None
    base_rate: Decimal | None = None
    recurring_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote(Row):
    table: ClassVar[str] = "quote"
    quote_id: str
    client_id: str | None
    reference: str | None = None
    status: str
    issue_date: date
    expiry_date: date | None = None
    decided_on: date | None = None
    invoice_id: str | None = None
    currency: str
    total: Decimal
    base_rate: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring(Row):
    table: ClassVar[str] = "recurring"
    recurring_id: str
    kind: str
    currency: str
    amount: Decimal
    interval_unit: str
    interval_count: int = 1
    next_on: date | None
    ends_on: date | None = None
    active: bool = True
    terms_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FxRate(Row):
    table: ClassVar[str] = "fx_rate"
    currency: str
    base_currency: str
    rate_date: date
    rate: Decimal


AnyRow = TypeVar("AnyRow", bound=Row)
TABLES: tuple[type[Row], ...] = (Tenant, Client, Invoice, Payment, Allocation, Expense, Quote, Recurring, FxRate)

# What happened on a day, as against what is due or expires on one: the newest of these is a tenant's newest business day.
BUSINESS_DATES = ("issue_date", "paid_on", "expense_date", "decided_on", "rate_date")


@dataclass(slots=True, kw_only=True)
class Books:
    """All rows of one tenant. `oddities` counts what was left out or mended on the way from a real extract, and why."""

    tenant: Tenant
    clients: list[Client] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    allocations: list[Allocation] = field(default_factory=list)
    expenses: list[Expense] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    recurring: list[Recurring] = field(default_factory=list)
    rates: list[FxRate] = field(default_factory=list)
    oddities: Counter[str] = field(default_factory=Counter)

    @property
    def documents(self) -> int:
        """Invoices, credit notes, payments, refunds, expenses and quotes."""
        return len(self.invoices) + len(self.payments) + len(self.expenses) + len(self.quotes)

    def rows(self) -> Iterator[Row]:
        """Every row, in the order of the fields."""
        yield self.tenant
        for name in _ROW_LISTS:
            yield from getattr(self, name)


_ROW_LISTS = tuple(f.name for f in fields(Books) if f.name not in ("tenant", "oddities"))


def newest_day(books: Books) -> date:
    """The newest day on which anything happened; there must be one."""
    days: Iterator[date | None] = (getattr(row, name, None) for row in books.rows() for name in BUSINESS_DATES)
    return max(day for day in days if day is not None)


def ending_on(books: Books, today: date) -> Books:
    """The same books with every date moved by one whole number of days, so that the newest business day is `today`."""
    shift = today - newest_day(books)
    moved: dict[str, Any] = {name: [_moved(row, shift) for row in getattr(books, name)] for name in _ROW_LISTS}
    return replace(books, **moved)


def _moved(row: AnyRow, shift: timedelta) -> AnyRow:
    values = {f.name: getattr(row, f.name) for f in fields(row)}
    dates: dict[str, Any] = {name: value + shift for name, value in values.items() if isinstance(value, date)}
    return replace(row, **dates)


def balances(books: Books, day: date) -> dict[str, Decimal]:
    """What each posted invoice leaves to pay at the end of `day`: total − payments + refunds − credit notes, never negative.

    Unit: the invoice's currency. Source: SPEC 4, rule 6.
    """
    counted = {(p.kind, p.payment_id) for p in books.payments if p.status == "succeeded" and p.paid_on <= day} | {
        ("credit_note", i.invoice_id)
        for i in books.invoices
        if i.kind == "credit_note" and i.status == "posted" and i.issue_date <= day
    }
    settled: defaultdict[str, Decimal] = defaultdict(Decimal)
    for allocation in books.allocations:
        if (allocation.source_kind, allocation.source_id) in counted:
            sign = -1 if allocation.source_kind == "refund" else 1
            settled[allocation.invoice_id] += sign * allocation.amount
    return {
        invoice.invoice_id: Decimal(0)
        if invoice.written_off_on and invoice.written_off_on <= day
        else max(Decimal(0), invoice.total - settled[invoice.invoice_id])
        for invoice in books.invoices
        if invoice.kind == "invoice" and invoice.status == "posted"
    }
