"""What the database says about one tenant, aggregated: the frozen types that a KPI may look at. Types only.

Amounts are never rounded; credit notes and refunds are already negative. A flow group whose `currency` is the tenant's
base currency is in base units: documents in that currency, and those converted by their own base_rate. Any other group is
in its own currency and waits for the one rate that serves all of it. Balances prefer today's rate to the documents' own,
so their groups carry both. Source: SPEC 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from shared.snapshot import Basis, Bucket, DataIssue, Level
from shared.thresholds import AlertThresholds

DecisionWindow = Literal["recent", "current", "previous"]
DEFAULT_THRESHOLDS = AlertThresholds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A business and the clock it lives by. `timezone` is one that exists; what was wrong with the row is in `issues`."""

    tenant_id: str
    name: str | None
    timezone: str
    base_currency: str
    basis: Basis
    fiscal_year_start_month: int
    issues: tuple[DataIssue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """When the database was read, as the tenant sees it: `today` runs from `day_start` to `day_end` (23 to 25 h)."""

    as_of: datetime
    today: date
    day_start: datetime
    day_end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceGroup:
    """Posted invoices or credit notes of one issue day and currency, trailing 90 days.

    The rate, where one is needed, is that of `day`. net: without tax, gross: with it. terms_days and with_terms:
    Σ (due − issue) in days and the count of those that have a due date (invoices only).
    """

    day: date
    kind: Literal["invoice", "credit_note"]
    currency: str
    documents: int
    anomalies: int
    net: Decimal
    gross: Decimal
    terms_days: int
    with_terms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationGroup:
    """Revenue on cash basis: allocated money × (total − tax) / total, by day paid, in the invoice's currency.

    rate_date: issue date of the invoices, whose rate counts; None when no rate is needed. Refunds are negative.
    A tenant on accrual basis has none, nor settlements.
    """

    day: date
    currency: str
    rate_date: date | None
    net: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentGroup:
    """Succeeded payments or refunds of one day paid and currency, trailing 60 days and today, for cash flow.

    amount is negative for refunds; the rate, where one is needed, is that of `day`.
    """

    day: date
    kind: Literal["payment", "refund"]
    currency: str
    documents: int
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementGroup:
    """The same payments and refunds, counted by which rates their allocations still need (for cash-basis confidence).

    needs: (currency, rate date) of every counted allocation that is neither in base currency nor of an invoice with its
    own rate; empty when there is none, or no allocation at all. A payment is convertible when all of them are known.
    """

    day: date
    documents: int
    needs: tuple[tuple[str, date], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpenseGroup:
    """Posted expenses of one day, category and currency; trailing 60 days and today. A vendor credit is negative.

    In `TenantFacts.expenses` the day is the expense date, in `paid_expenses` the day paid, and the rate is that day's.
    """

    day: date
    category: str | None
    currency: str
    documents: int
    anomalies: int
    net: Decimal
    gross: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenInvoiceGroup:
    """Posted invoices with a balance now, by ageing bucket; `due_on` splits those due within the coming 30 days.

    amount: Σ balance in `currency`; own_base: the same in base units by the documents' own base_rate, None for documents
    without one. Balances prefer today's rate, so both are given. largest, largest_own_base: of a single invoice.
    """

    bucket: Bucket
    due_on: date | None
    currency: str
    documents: int
    anomalies: int
    amount: Decimal
    own_base: Decimal | None
    largest: Decimal = Decimal(0)
    largest_own_base: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditGroup:
    """Money of clients that pays for nothing yet: not allocated or beyond a total; unallocated refunds are negative."""

    currency: str
    documents: int
    amount: Decimal
    own_base: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayableGroup:
    """Posted expenses not paid by today that fall due by the end of the coming 30 days; overdue ones on today."""

    due_on: date
    currency: str
    documents: int
    amount: Decimal
    own_base: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteGroup:
    """Quotes decided in the trailing 180 days, or still open (decided None). `window` counts from today backwards:

    recent = the trailing 30 days, current = the other 60 of the trailing 90, previous = the 90 days before them.
    rate_date: the issue date, None when no rate is needed. amount: Σ total. expires_on: of open quotes that expire within
    90 days.
    """

    window: DecisionWindow | None
    outcome: Literal["won", "lost", "open"]
    currency: str
    rate_date: date | None
    documents: int
    anomalies: int
    amount: Decimal
    expires_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientActivity:
    """Distinct clients active in each window. current: trailing 30 days incl. today; previous: the 30 days before.

    complete: the 30 days ending yesterday; complete_previous: the 30 before; retained: active in both of these.
    """

    current: int = 0
    previous: int = 0
    complete: int = 0
    complete_previous: int = 0
    retained: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientGroup:
    """One client's invoices less credit notes, net, trailing 90 days; rate_date: issue date, None if not needed."""

    client_id: str | None
    name: str | None
    currency: str
    rate_date: date | None
    documents: int
    net: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring:
    """An active template; it is no document and never counts but in the cash forecast."""

    kind: Literal["invoice", "expense"]
    currency: str
    amount: Decimal
    interval_unit: Literal["day", "week", "month", "year"]
    interval_count: int
    next_on: date
    ends_on: date | None
    terms_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The last values of the balance metrics on one local day, as Daybook kept them."""

    day: date
    pending: int
    pending_amount: Decimal | None
    overdue: int
    overdue_amount: Decimal | None
    conversion: Decimal | None
    active_clients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAlert:
    """An alert as Daybook keeps it: one of today's, one that has not ended, or one whose snooze has not run out.

    subject: what the rule is about. cleared_at: since when the rule does not hold; None while it does.
    """

    alert_id: str
    rule: str
    subject: str
    local_date: date
    level: Level
    message: str
    metric: str
    action_required: bool
    provisional: bool
    raised_at: datetime
    snoozed_until: datetime | None = None
    cleared_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantFacts:
    """Everything a tenant's snapshot is computed from. `rates` holds base units per 1 unit, keyed (currency, date)

    and already resolved: the newest rate on or before the date and at most 7 days older. No key: no rate.
    """

    tenant: Tenant
    clock: Clock
    invoices: tuple[InvoiceGroup, ...] = ()
    allocations: tuple[AllocationGroup, ...] = ()
    payments: tuple[PaymentGroup, ...] = ()
    settlements: tuple[SettlementGroup, ...] = ()
    expenses: tuple[ExpenseGroup, ...] = ()
    paid_expenses: tuple[ExpenseGroup, ...] = ()
    open_invoices: tuple[OpenInvoiceGroup, ...] = ()
    credits: tuple[CreditGroup, ...] = ()
    payables: tuple[PayableGroup, ...] = ()
    quotes: tuple[QuoteGroup, ...] = ()
    activity: ClientActivity = ClientActivity()
    clients: tuple[ClientGroup, ...] = ()
    recurring: tuple[Recurring, ...] = ()
    closes: tuple[Close, ...] = ()
    rates: Mapping[tuple[str, date], Decimal] = field(default_factory=dict)
    has_documents: bool = False
    thresholds: AlertThresholds = DEFAULT_THRESHOLDS
    alerts: tuple[KnownAlert, ...] = ()
