"""The books of one tenant: its rows that count, its clock, and the exchange rates that apply."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, Row, text

from shared.currency import is_known

EVERYONE = "*"
RATE_MAX_AGE_DAYS = 7
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Money of a succeeded payment or refund, or of a posted credit note, set against a posted invoice.

    amount: in the invoice's currency, never negative. counts_on: the date of its source, which alone decides the day.
    """

    source_kind: str
    counts_on: date
    invoice: Row[Any]
    amount: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What counts of one tenant's rows at `now`: documents that are posted, payments and refunds that succeeded."""

    tenant: Row[Any]
    zone: ZoneInfo
    zone_known: bool
    now: datetime
    invoices: Sequence[Row[Any]]
    credit_notes: Sequence[Row[Any]]
    payments: Sequence[Row[Any]]
    refunds: Sequence[Row[Any]]
    expenses: Sequence[Row[Any]]
    quotes: Sequence[Row[Any]]
    closes: Sequence[Row[Any]]
    thresholds: Sequence[Row[Any]]
    alerts: Sequence[Row[Any]]
    allocations_from: Mapping[tuple[str, str], Sequence[Allocation]]
    allocations_to: Mapping[str, Sequence[Allocation]]
    rates: Mapping[tuple[str, str, date], Fraction]

    @property
    def today(self) -> date:
        """The tenant's local date."""
        return self.now.astimezone(self.zone).date()

    @property
    def base(self) -> str:
        return str(self.tenant.base_currency)

    @property
    def on_cash_basis(self) -> bool:
        return bool(self.tenant.basis == "cash")

    @property
    def unknown_settings(self) -> int:
        """How many of time zone, base currency and basis say nothing that Daybook knows."""
        return (not self.zone_known) + (not is_known(self.base)) + (self.tenant.basis not in ("accrual", "cash"))

    @property
    def have_documents(self) -> bool:
        """Whether there is anything to show at all, of whatever date."""
        documents = (self.invoices, self.credit_notes, self.payments, self.refunds, self.expenses, self.quotes)
        return any(documents)

    def elapsed_share(self) -> Fraction:
        """Share of the local day (23 to 25 h) that has passed, 0..1."""
        start, end = self._midnight(self.today), self._midnight(self.today + DAY)
        return _microseconds(self.now - start) / _microseconds(end - start)

    def _midnight(self, day: date) -> datetime:
        # Where the clock skips midnight, the offset before the gap puts it at the moment the clock jumped.
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def flow_rate(self, document: Row[Any], day: date) -> Fraction | None:
        """Base units per unit of a document that counts on `day`: its own rate first. None: no rate."""
        if document.currency == self.base:
            return Fraction(1)
        return _fraction(document.base_rate) or self._rate_on(day, document.currency)

    def balance_rate(self, document: Row[Any]) -> Fraction | None:
        """Base units per unit of money that is owed now: today's rate first. None: no rate."""
        if document.currency == self.base:
            return Fraction(1)
        return self._rate_on(self.today, document.currency) or _fraction(document.base_rate)

    def _rate_on(self, day: date, currency: str) -> Fraction | None:
        for age in range(RATE_MAX_AGE_DAYS + 1):
            for owner in (self.tenant.tenant_id, EVERYONE):
                rate = self.rates.get((owner, currency, day - age * DAY))
                if rate is not None:
                    return rate
        return None


def open_books(connection: Connection, tenant_id: str, now: datetime) -> Books:
    """Read every row of one tenant. Raises LookupError when there is no such tenant."""

    def rows(table: str) -> Sequence[Row[Any]]:
        query = text(f"SELECT * FROM dashboard.{table} WHERE tenant_id = :tenant_id")  # noqa: S608 (our own names)
        return connection.execute(query, {"tenant_id": tenant_id}).all()

    found = rows("tenant")
    if not found:
        raise LookupError(f"no tenant {tenant_id!r}")
    zone, zone_known = _zone(found[0].timezone)
    rates = connection.execute(
        text("SELECT * FROM dashboard.fx_rate WHERE tenant_id IN (:tenant_id, :everyone) AND base_currency = :base"),
        {"tenant_id": tenant_id, "everyone": EVERYONE, "base": found[0].base_currency},
    )
    invoices = [row for row in rows("invoice") if row.status == "posted"]
    payments = [row for row in rows("payment") if row.status == "succeeded"]
    from_source, to_invoice = _allocations(rows("allocation"), invoices, payments)
    return Books(
        tenant=found[0],
        zone=zone,
        zone_known=zone_known,
        now=now,
        invoices=[row for row in invoices if row.kind == "invoice"],
        credit_notes=[row for row in invoices if row.kind == "credit_note"],
        payments=[row for row in payments if row.kind == "payment"],
        refunds=[row for row in payments if row.kind == "refund"],
        expenses=[row for row in rows("expense") if row.status == "posted"],
        quotes=[row for row in rows("quote") if row.status not in ("draft", "void")],
        closes=rows("daily_close"),
        thresholds=rows("threshold"),
        alerts=rows("alert"),
        allocations_from=from_source,
        allocations_to=to_invoice,
        rates={(rate.tenant_id, rate.currency, rate.rate_date): Fraction(rate.rate) for rate in rates},
    )


def _allocations(
    rows: Sequence[Row[Any]], invoices: Sequence[Row[Any]], payments: Sequence[Row[Any]]
) -> tuple[dict[tuple[str, str], list[Allocation]], dict[str, list[Allocation]]]:
    """Allocations by their source and by their invoice; those from or to something that does not count left out."""
    dates = {(row.kind, row.payment_id): row.paid_on for row in payments}
    dates |= {("credit_note", row.invoice_id): row.issue_date for row in invoices if row.kind == "credit_note"}
    targets = {row.invoice_id: row for row in invoices if row.kind == "invoice"}
    from_source: dict[tuple[str, str], list[Allocation]] = defaultdict(list)
    to_invoice: dict[str, list[Allocation]] = defaultdict(list)
    for row in rows:
        source = (row.source_kind, row.source_id)
        if source in dates and row.invoice_id in targets:
            allocation = Allocation(
                source_kind=row.source_kind,
                counts_on=dates[source],
                invoice=targets[row.invoice_id],
                amount=Fraction(row.amount),
            )
            from_source[source].append(allocation)
            to_invoice[row.invoice_id].append(allocation)
    return from_source, to_invoice


def _zone(name: str) -> tuple[ZoneInfo, bool]:
    try:
        return ZoneInfo(name), True
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC"), False


def _fraction(rate: Any) -> Fraction | None:
    return None if rate is None else Fraction(rate)


def _microseconds(duration: timedelta) -> Fraction:
    return Fraction(duration // timedelta(microseconds=1))
