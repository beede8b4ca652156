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
    IncomingGroup,
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
    no_rate: str | None = None,
    documents: int = 1,
    anomalies: int = 0,
    terms_days: int | None = None,
) -> InvoiceGroup:
    """Invoices of one day; a credit note's amounts are given negative, as facts have them."""
    return InvoiceGroup(
        day=day,
        kind=kind,
        no_rate=no_rate,
        documents=documents,
        anomalies=anomalies,
        net=D(net),
        gross=D(gross or net),
        terms_days=terms_days or 0,
        with_terms=0 if terms_days is None else documents,
    )


def allocation(day: date, net: str, *, no_rate: str | None = None, since: date | None = None) -> AllocationGroup:
    return AllocationGroup(day=day, no_rate=no_rate, net=D(net), since=since)


def payment(
    day: date,
    amount: str,
    *,
    kind: Literal["payment", "refund"] = "payment",
    no_rate: str | None = None,
    documents: int = 1,
) -> PaymentGroup:
    return PaymentGroup(day=day, kind=kind, no_rate=no_rate, documents=documents, amount=D(amount))


def settlement(day: date, *lacking: str, documents: int = 1) -> SettlementGroup:
    return SettlementGroup(day=day, documents=documents, lacking=lacking)


def expense(
    day: date,
    net: str,
    *,
    gross: str | None = None,
    no_rate: str | None = None,
    category: str | None = None,
    documents: int = 1,
    anomalies: int = 0,
) -> ExpenseGroup:
    return ExpenseGroup(
        day=day,
        category=category,
        no_rate=no_rate,
        documents=documents,
        anomalies=anomalies,
        net=D(net),
        gross=D(gross or net),
    )


def open_invoice(
    amount: str,
    *,
    bucket: Bucket = "current",
    currency: str = "USD",
    base: str | None = None,
    client_id: str | None = "c1",
    documents: int = 1,
    anomalies: int = 0,
    issued: bool = True,
    oldest_due: date | None = None,
    largest: str | None = None,
) -> OpenInvoiceGroup:
    """USD is base already; of another currency `base` says what it is worth, None = no rate. issued: dated up to today."""
    worth = D(amount) if currency == "USD" else None if base is None else D(base)
    return OpenInvoiceGroup(
        client_id=client_id,
        name=None if client_id is None else f"Client {client_id}",
        bucket=bucket,
        currency=currency,
        documents=documents,
        anomalies=anomalies,
        amount=D(amount),
        base=worth,
        issued_documents=documents if issued else 0,
        issued_base=worth if issued else D(0),
        oldest_due=oldest_due,
        largest=worth if largest is None else D(largest),
    )


def credit(
    amount: str,
    *,
    kind: Literal["payment", "credit_note", "refund"] = "payment",
    currency: str = "USD",
    base: str | None = None,
    client_id: str | None = "c1",
    documents: int = 1,
    **over: Any,
) -> CreditGroup:
    """USD is base already, but where `lacks` says that what is left is not known."""
    known = currency == "USD" and "lacks" not in over
    worth = D(amount) if known else None if base is None else D(base)
    return CreditGroup(
        client_id=client_id,
        kind=kind,
        currency=currency,
        documents=documents,
        amount=D(amount),
        base=worth,
        **over,
    )


def incoming(day: date, amount: str, *, no_rate: str | None = None) -> IncomingGroup:
    return IncomingGroup(day=day, no_rate=no_rate, documents=1, amount=D(amount))


def payable(day: date | None, amount: str, *, vendor: str | None = None, no_rate: str | None = None) -> PayableGroup:
    """A vendor credit has no day and a negative amount."""
    return PayableGroup(day=day, vendor=vendor, no_rate=no_rate, documents=1, amount=D(amount))


def quote(
    outcome: Literal["won", "lost", "open"],
    *,
    window: Literal["recent", "current", "previous"] | None = "recent",
    amount: str = "100",
    no_rate: str | None = None,
    since: date | None = None,
    documents: int = 1,
    anomalies: int = 0,
) -> QuoteGroup:
    return QuoteGroup(
        window=None if outcome == "open" else window,
        outcome=outcome,
        no_rate=no_rate,
        documents=documents,
        anomalies=anomalies,
        amount=D(amount),
        since=since,
    )


def client(client_id: str | None, net: str, *, no_rate: str | None = None) -> ClientGroup:
    name = None if client_id is None else f"Client {client_id}"
    return ClientGroup(client_id=client_id, name=name, no_rate=no_rate, documents=1, net=D(net))


def template(next_on: date, amount: str = "100", **over: Any) -> Recurring:
    """Worth `amount` in USD, or what `base` says."""
    given: dict[str, Any] = {
        "kind": "expense",
        "currency": "USD",
        "base": D(amount),
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
            # EUR 500 + 100 at 1.10
            invoice(TODAY, "550", gross="660", terms_days=14),
            invoice(TODAY, "-100", gross="-110", kind="credit_note"),
            invoice(YESTERDAY, "2000", gross="2080", documents=2, terms_days=30),
            invoice(ago(19), "400", terms_days=19),
            invoice(ago(38), "2000", gross="2200", terms_days=30),
        ),
        # I3: 300 × 800/880 = 272.7272…; I7: 2200 × 2000/2200 = 2000
        allocations=(allocation(TODAY, "272.73"), allocation(TODAY, "2000"), allocation(YESTERDAY, "1000")),
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
            expense(TODAY, "100", no_rate="GBP"),
        ),
        paid_expenses=(expense(TODAY, "600"), expense(YESTERDAY, "200")),
        open_invoices=(
            open_invoice("1100"),
            open_invoice("600", currency="EUR", base="660"),
            open_invoice("400"),
            open_invoice("200"),
            open_invoice("470", bucket="1-30"),
        ),
        # I7's surplus, and the refund of a part of it
        credits=(credit("300"), credit("-100", kind="refund")),
        incoming=(
            incoming(TODAY + timedelta(days=14), "660"),
            incoming(TODAY, "400"),
            incoming(TODAY + timedelta(days=29), "200"),
        ),
        payables=(payable(TODAY, "330"), payable(TODAY, "100", no_rate="GBP")),
    )
