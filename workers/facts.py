"""What the database says about one tenant, aggregated: the frozen types that a KPI may look at. Types only.

Money stands in base units, converted and rounded document by document where it was read, so that a KPI only adds up. What
could not be converted stands in groups of its own: `no_rate` names the currency, and the amounts are in it, rounded to its
minor unit. Credit notes and refunds are already negative. Source: SPEC 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from shared.snapshot import Basis, Bucket, DataIssue, Level
from shared.thresholds import AlertThresholds

DecisionWindow = Literal["recent", "current", "previous"]
DEFAULT_THRESHOLDS = AlertThresholds()


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that the database tells in one piece: a JSON array of its fields' values, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A business and the clock it lives by. `timezone` is one that exists; what was wrong with the row is in `issues`.

    cash_balance: what the accounts held at the end of the local day cash_balance_on, in base units, rounded; None = unknown.
    """

    tenant_id: str
    name: str | None
    timezone: str
    base_currency: str
    basis: Basis
    fiscal_year_start_month: int
    cash_balance: Decimal | None = None
    cash_balance_on: date | None = None
    issues: tuple[DataIssue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """When the database was read, as the tenant sees it: `today` runs from `day_start` to `day_end` (23 to 25 h)."""

    as_of: datetime
    today: date
    day_start: datetime
    day_end: datetime


class InvoiceGroup(Row, frozen=True, kw_only=True):
    """Posted invoices or credit notes of one issue day, trailing 90 days.

    net: without tax, gross: with it. terms_days and with_terms: Σ (due − issue) in days and the count of those that have
    a due date (invoices only).
    """

    day: date
    kind: Literal["invoice", "credit_note"]
    no_rate: str | None
    documents: int
    anomalies: int
    net: Decimal
    gross: Decimal
    terms_days: int
    with_terms: int


class ClientGroup(Row, frozen=True, kw_only=True):
    """One client's invoices less credit notes, net, trailing 90 days."""

    client_id: str | None
    name: str | None
    no_rate: str | None
    documents: int
    net: Decimal


class AllocationGroup(Row, frozen=True, kw_only=True):
    """Revenue on cash basis, by day paid: what each allocation brought of its invoice, without the tax in it.

    Refunds are negative. since: of those without a rate, the earliest day whose rate was looked for. A tenant on accrual
    basis has none, nor settlements.
    """

    day: date
    no_rate: str | None
    net: Decimal
    since: date | None = None


class SettlementGroup(Row, frozen=True, kw_only=True):
    """The payments and refunds behind that revenue, with an allocation or without, by day paid (confidence).

    lacking: the currencies without a rate among a payment's counted allocations; empty = it is convertible.
    """

    day: date
    documents: int
    lacking: tuple[str, ...]


class PaymentGroup(Row, frozen=True, kw_only=True):
    """Succeeded payments or refunds of one day paid, trailing 60 days and today, for cash flow. Refunds are negative."""

    day: date
    kind: Literal["payment", "refund"]
    no_rate: str | None
    documents: int
    amount: Decimal


class ExpenseGroup(Row, frozen=True, kw_only=True):
    """Posted expenses of one day and category; trailing 60 days and today. A vendor credit is negative.

    In `TenantFacts.expenses` the day is the expense date, in `paid_expenses` the day paid; the rate is that day's.
    """

    day: date
    category: str | None
    no_rate: str | None
    documents: int
    anomalies: int
    net: Decimal
    gross: Decimal


class OpenInvoiceGroup(Row, frozen=True, kw_only=True):
    """Posted invoices of one client with a balance now, by ageing bucket and currency.

    amount: Σ balance in `currency`. base: the same in base units, None for those without a rate. issued_base: of those
    dated up to today (0 when there are none), issued_documents their number. largest: the largest balance of a single
    invoice in base units, and which one; oldest_due: None when none of them has a due date.
    """

    client_id: str | None
    name: str | None
    bucket: Bucket
    currency: str
    documents: int
    anomalies: int
    amount: Decimal
    base: Decimal | None
    issued_documents: int
    issued_base: Decimal | None
    oldest_due: date | None
    largest: Decimal | None
    largest_id: str | None = None
    largest_reference: str | None = None


class CreditGroup(Row, frozen=True, kw_only=True):
    """One client's money that pays for nothing yet: unallocated payments, unused credit notes, unallocated refunds.

    Refunds are negative, credit notes are those dated up to today. amount: in `currency`; base: in base units, None without
    a rate and where it is not known what is left. lacks, since: where base is None, which currency had no rate (None =
    `currency` itself) on which day (None = today).
    """

    client_id: str | None
    kind: Literal["payment", "credit_note", "refund"]
    currency: str
    documents: int
    amount: Decimal
    base: Decimal | None
    lacks: str | None = None
    since: date | None = None


class IncomingGroup(Row, frozen=True, kw_only=True):
    """Open invoices expected on one of the 30 days from today: on the day a payment names, else when due.

    again: how many of the documents an earlier one of these days has too, where an invoice comes in pieces.
    """

    day: date
    no_rate: str | None
    documents: int
    amount: Decimal
    again: int = 0


class PayableGroup(Row, frozen=True, kw_only=True):
    """Unpaid expenses that go out on one of the 30 days from today: on the day ordered, else when due, else today.

    vendor: given only where that vendor also has credits. A vendor credit has no day: it is negative and lessens what the
    same vendor is owed.
    """

    day: date | None
    vendor: str | None
    no_rate: str | None
    documents: int
    amount: Decimal


class CashSinceGroup(Row, frozen=True, kw_only=True):
    """Cash flow between the host's cash balance and today: after its day up to yesterday, or from today up to its day.

    amount: signed as Cash Flow counts it, in both cases. since: as of AllocationGroup, by day paid.
    """

    no_rate: str | None
    documents: int
    amount: Decimal
    since: date | None = None


class QuoteGroup(Row, frozen=True, kw_only=True):
    """Quotes decided in the trailing 180 days (flow rates), or still open (window None; balance rates).

    `window` counts from today backwards: recent = the trailing 30 days, current = the other 60 of the trailing 90,
    previous = the 90 days before them. expires_on: of open quotes that expire within 90 days. since: as of AllocationGroup.
    """

    window: DecisionWindow | None
    outcome: Literal["won", "lost", "open"]
    no_rate: str | None
    documents: int
    anomalies: int
    amount: Decimal
    expires_on: date | None = None
    since: date | None = None


class ClientActivity(Row, frozen=True, kw_only=True):
    """Distinct clients active in each window. current: trailing 30 days incl. today; previous: the 30 days before.

    complete: the 30 days ending yesterday; complete_previous: the 30 before; retained: active in both of these.
    """

    current: int = 0
    previous: int = 0
    complete: int = 0
    complete_previous: int = 0
    retained: int = 0


NO_ACTIVITY = ClientActivity()


class Recurring(Row, frozen=True, kw_only=True):
    """An active template; it is no document and never counts but in the cash forecast.

    amount: of one occurrence in `currency`; base: in base units, None without a rate. newest_document: date of the newest
    posted document made from it.
    """

    kind: Literal["invoice", "expense"]
    currency: str
    amount: Decimal
    base: Decimal | None
    interval_unit: Literal["day", "week", "month", "year"]
    interval_count: int
    next_on: date
    ends_on: date | None
    terms_days: int
    newest_document: date | None = None


class Close(Row, frozen=True, kw_only=True):
    """The last values of the balance metrics on one local day, as Daybook kept them."""

    day: date
    pending: int
    pending_amount: Decimal | None
    overdue: int
    overdue_amount: Decimal | None
    conversion: Decimal | None
    active_clients: int


class RebuiltClose(Row, frozen=True, kw_only=True):
    """How many invoices were open at the end of yesterday, for a tenant that Daybook did not know then."""

    pending: int = 0
    overdue: int = 0


MonthNumbers = tuple[Decimal | None, Decimal | None, Decimal | None, Decimal | None]
"""Revenue, expenses, money in and money out of a month, as shown."""


class ShownMonths(Row, frozen=True, kw_only=True):
    """The closed months as they were last shown, by name ("2026-10"). before: as they stood at the end of the day before
    `day`, the local day on which they were last seen to change; of a day that is over it is not read."""

    day: date
    base_currency: str
    basis: str
    months: dict[str, MonthNumbers]
    before: dict[str, MonthNumbers]


class KeptTotal(Row, frozen=True, kw_only=True):
    """What a stretch of past days came to, on the tenant's basis; `first` is its first day.

    no_rate: the currency of documents without a rate, else None. Documents are those that convert, or lack that rate.
    in_part: some of the revenue converts, whatever became of whole documents. money_out is positive. since: as of
    AllocationGroup.
    """

    first: date
    no_rate: str | None
    revenue: Decimal
    revenue_documents: int
    in_part: bool
    expenses: Decimal
    expenses_documents: int
    money_in: Decimal
    money_in_documents: int
    money_out: Decimal
    money_out_documents: int
    since: date | None = None


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class KeptPast:
    """What a tenant's kept days came to: the same object from one load to the next, as long as nobody has made them anew. So
    what follows from it alone can be remembered with it."""

    totals: tuple[KeptTotal, ...] = ()


NOTHING_KEPT = KeptPast()


class KnownAlert(Row, frozen=True, kw_only=True):
    """An alert as Daybook keeps it: one of today's, one that has not ended, or one whose snooze has not run out.

    subject: what the rule is about. cleared_at: since when the rule does not hold; None while it does. params: what the
    message says, as a JSON object.
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
    params: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantFacts:
    """Everything a tenant's snapshot is computed from.

    rebuilt: yesterday's close on the first day, when none is kept.
    touched: by month and number, the references of its documents that were written today; looked for only where a closed
    month has changed.
    kept: the days before those that the flows reach, in stretches that no period divides. kept_as_of: as of when, where
    something may have changed in them of which nobody could say when it happened; None while they are exact.
    links_known: False where the host keeps balances but neither allocations nor what is unapplied, so that nobody can say
    which money paid for what.
    """

    tenant: Tenant
    clock: Clock
    invoices: tuple[InvoiceGroup, ...] = ()
    clients: tuple[ClientGroup, ...] = ()
    allocations: tuple[AllocationGroup, ...] = ()
    settlements: tuple[SettlementGroup, ...] = ()
    payments: tuple[PaymentGroup, ...] = ()
    expenses: tuple[ExpenseGroup, ...] = ()
    paid_expenses: tuple[ExpenseGroup, ...] = ()
    open_invoices: tuple[OpenInvoiceGroup, ...] = ()
    credits: tuple[CreditGroup, ...] = ()
    incoming: tuple[IncomingGroup, ...] = ()
    payables: tuple[PayableGroup, ...] = ()
    cash_since: tuple[CashSinceGroup, ...] = ()
    quotes: tuple[QuoteGroup, ...] = ()
    activity: ClientActivity = NO_ACTIVITY
    recurring: tuple[Recurring, ...] = ()
    closes: tuple[Close, ...] = ()
    rebuilt: RebuiltClose | None = None
    links_known: bool = True
    has_documents: bool = False
    thresholds: AlertThresholds = DEFAULT_THRESHOLDS
    alerts: tuple[KnownAlert, ...] = ()
    shown_months: ShownMonths | None = None
    touched: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    kept: KeptPast = NOTHING_KEPT
    kept_as_of: datetime | None = None
