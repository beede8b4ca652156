"""Short names for literal facts: a USD tenant in New York on the 11th of March 2026, 14:00, unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from shared.snapshot import Alert, Basis, Bucket, Metric
from workers.facts import (
    AllocationGroup,
    ClientGroup,
    Clock,
    Close,
    CreditGroup,
    ExpenseGroup,
    InvoiceGroup,
    OpenInvoiceGroup,
    PayableGroup,
    PaymentGroup,
    QuoteGroup,
    Recurring,
    SettlementGroup,
    Tenant,
    TenantFacts,
)
from workers.kpi.dashboard import Dashboard, dashboard

TODAY = date(2026, 3, 11)
YESTERDAY = TODAY - timedelta(days=1)
D = Decimal


def ago(days: int, *, today: date = TODAY) -> date:
    """The local day so many days before today."""
    return today - timedelta(days=days)


def clock(today: date = TODAY, *, zone: str = "America/New_York", hour: int = 14, minute: int = 0) -> Clock:
    """That wall clock time in that zone."""
    tz = ZoneInfo(zone)
    midnight = datetime(today.year, today.month, today.day, tzinfo=tz)
    following = today + timedelta(days=1)
    end = datetime(following.year, following.month, following.day, tzinfo=tz)
    return Clock(as_of=midnight.replace(hour=hour, minute=minute), today=today, day_start=midnight, day_end=end)


def tenant(**over: Any) -> Tenant:
    """A tenant with documents."""
    given = {
        "tenant_id": "A",
        "name": "Anvil & Co",
        "timezone": "America/New_York",
        "base_currency": "USD",
        "basis": "accrual",
        "fiscal_year_start_month": 1,
    }
    return Tenant(**{**given, **over})


def facts(*, currency: str = "USD", basis: Basis = "accrual", at: Clock | None = None, **over: Any) -> TenantFacts:
    """Facts of a tenant that has documents."""
    given: dict[str, Any] = {
        "tenant": tenant(base_currency=currency, basis=basis),
        "clock": at or clock(),
        "has_documents": True,
    }
    return TenantFacts(**{**given, **over})


def invoice(
    day: date,
    net: str,
    *,
    gross: str | None = None,
    kind: Literal["invoice", "credit_note"] = "invoice",
    currency: str = "USD",
    documents: int = 1,
    anomalies: int = 0,
    terms_days: int | None = None,
) -> InvoiceGroup:
    """Invoices of one day; a credit note's amounts are given negative, as facts have them."""
    return InvoiceGroup(
        day=day,
        kind=kind,
        currency=currency,
        documents=documents,
        anomalies=anomalies,
        net=D(net),
        gross=D(gross or net),
        terms_days=terms_days or 0,
        with_terms=0 if terms_days is None else documents,
    )


def allocation(day: date, net: str, *, currency: str = "USD", rate_date: date | None = None) -> AllocationGroup:
    return AllocationGroup(day=day, currency=currency, rate_date=rate_date, net=D(net))


def payment(
    day: date,
    amount: str,
    *,
    kind: Literal["payment", "refund"] = "payment",
    currency: str = "USD",
    documents: int = 1,
) -> PaymentGroup:
    return PaymentGroup(day=day, kind=kind, currency=currency, documents=documents, amount=D(amount))


def settlement(day: date, *needs: tuple[str, date], documents: int = 1) -> SettlementGroup:
    return SettlementGroup(day=day, documents=documents, needs=needs)


def expense(
    day: date,
    net: str,
    *,
    gross: str | None = None,
    currency: str = "USD",
    category: str | None = None,
    documents: int = 1,
    anomalies: int = 0,
) -> ExpenseGroup:
    return ExpenseGroup(
        day=day,
        category=category,
        currency=currency,
        documents=documents,
        anomalies=anomalies,
        net=D(net),
        gross=D(gross or net),
    )


def open_invoice(
    amount: str,
    *,
    bucket: Bucket = "current",
    due_on: date | None = None,
    currency: str = "USD",
    own_base: str | None = None,
    documents: int = 1,
    anomalies: int = 0,
) -> OpenInvoiceGroup:
    return OpenInvoiceGroup(
        bucket=bucket,
        due_on=due_on,
        currency=currency,
        documents=documents,
        anomalies=anomalies,
        amount=D(amount),
        own_base=None if own_base is None else D(own_base),
    )


def credit(amount: str, *, currency: str = "USD", own_base: str | None = None, documents: int = 1) -> CreditGroup:
    own = None if own_base is None else D(own_base)
    return CreditGroup(currency=currency, documents=documents, amount=D(amount), own_base=own)


def payable(due_on: date, amount: str, *, currency: str = "USD") -> PayableGroup:
    return PayableGroup(due_on=due_on, currency=currency, documents=1, amount=D(amount), own_base=None)


def quote(
    outcome: Literal["won", "lost", "open"],
    *,
    window: Literal["recent", "current", "previous"] | None = "recent",
    amount: str = "100",
    currency: str = "USD",
    rate_date: date | None = None,
    documents: int = 1,
    anomalies: int = 0,
) -> QuoteGroup:
    return QuoteGroup(
        window=None if outcome == "open" else window,
        outcome=outcome,
        currency=currency,
        rate_date=rate_date,
        documents=documents,
        anomalies=anomalies,
        amount=D(amount),
    )


def client(client_id: str | None, net: str, *, currency: str = "USD", rate_date: date | None = None) -> ClientGroup:
    name = None if client_id is None else f"Client {client_id}"
    return ClientGroup(client_id=client_id, name=name, currency=currency, rate_date=rate_date, documents=1, net=D(net))


def template(next_on: date, amount: str = "100", **over: Any) -> Recurring:
    given: dict[str, Any] = {
        "kind": "expense",
        "currency": "USD",
        "interval_unit": "month",
        "interval_count": 1,
        "ends_on": None,
        "terms_days": 0,
    }
    return Recurring(next_on=next_on, amount=D(amount), **{**given, **over})


def close(day: date = YESTERDAY, *, pending: int = 0, overdue: int = 0) -> Close:
    return Close(
        day=day,
        pending=pending,
        pending_amount=None,
        overdue=overdue,
        overdue_amount=None,
        conversion=None,
        active_clients=0,
    )


def computed(given: TenantFacts) -> Dashboard:
    """The dashboard, made a second after the database was read."""
    return dashboard(given, computed_at=given.clock.as_of.astimezone(UTC) + timedelta(seconds=1))


def metric(given: TenantFacts, name: str) -> Metric:
    """One of the eight."""
    return next(m for m in computed(given).snapshot.metrics if m.name == name)


def alerts_of(given: TenantFacts) -> Sequence[Alert]:
    """What holds, most severe first."""
    return computed(given).snapshot.alerts


def check_case(basis: Basis = "accrual") -> TenantFacts:
    """The check case of SPEC 4 as facts.

    I1 11th, due in 30 d, 1000+100 · I2 11th, due in 14 d, EUR 500+100 · I3 10th, due 10th, 800+80, paid 300, credited
    100+10 · I4 19 d ago, due today, 400 · I7 38 d ago, due 8 d ago, 2000+200, overpaid 2500 today, 100 refunded · I8 10th,
    due in 29 d, 1200, paid 1000 on the 10th · expenses 600 paid today (dated today), 300+30 today unpaid, 200 on the 10th,
    GBP 100 today. I3 and I8 stand in one group.
    """
    return facts(
        basis=basis,
        invoices=(
            invoice(TODAY, "1000", gross="1100", terms_days=30),
            invoice(TODAY, "500", gross="600", currency="EUR", terms_days=14),
            invoice(TODAY, "-100", gross="-110", kind="credit_note"),
            invoice(YESTERDAY, "2000", gross="2080", documents=2, terms_days=30),
            invoice(ago(19), "400", terms_days=19),
            invoice(ago(38), "2000", gross="2200", terms_days=30),
        ),
        # I3: 300 × 800/880 = 272.7272…; I7: 2200 × 2000/2200 = 2000
        allocations=(
            allocation(TODAY, "272.7272727272727273"),
            allocation(TODAY, "2000"),
            allocation(YESTERDAY, "1000"),
        ),
        payments=(
            payment(TODAY, "2800", documents=2),
            payment(TODAY, "-100", kind="refund"),
            payment(YESTERDAY, "1000"),
        ),
        settlements=(settlement(TODAY, documents=3), settlement(YESTERDAY)),
        expenses=(
            expense(TODAY, "600"),
            expense(TODAY, "300", gross="330"),
            expense(YESTERDAY, "200"),
            expense(TODAY, "100", currency="GBP"),
        ),
        paid_expenses=(expense(TODAY, "600"), expense(YESTERDAY, "200")),
        open_invoices=(
            open_invoice("1100", due_on=TODAY + timedelta(days=30)),
            open_invoice("600", due_on=TODAY + timedelta(days=14), currency="EUR"),
            open_invoice("400", due_on=TODAY),
            open_invoice("200", due_on=TODAY + timedelta(days=29)),
            open_invoice("470", bucket="1-30"),
        ),
        credits=(credit("300"), credit("-100")),
        rates={("EUR", YESTERDAY): D("1.08"), ("EUR", TODAY): D("1.10")},
    )
