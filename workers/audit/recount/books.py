"""The books of one tenant: its rows that count, and its clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, text

from shared.currency import is_known

EVERYONE = "*"
DAY = timedelta(days=1)
TABLES = (
    "tenant", "client", "invoice", "payment", "allocation", "expense", "quote", "recurring", "fx_rate", "daily_close",
    "threshold", "alert", "shown_months",
)  # fmt: skip

# A column that a view lacks is simply not in the row: optional ones are read with `get`.
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What counts of one tenant's rows at `now`: documents that are posted, payments and refunds that succeeded.

    newest_of_template: the date of the newest document of its kind made from each template, by (kind, id).
    links_unknown: balances are given, but nothing tells what the money and the credit notes were used for.
    """

    tenant: Row
    zone: ZoneInfo
    zone_known: bool
    now: datetime
    today: date
    client_names: Mapping[str, str | None]
    invoices: Sequence[Row]
    credit_notes: Sequence[Row]
    payments: Sequence[Row]
    refunds: Sequence[Row]
    allocations: Sequence[Row]
    expenses: Sequence[Row]
    quotes: Sequence[Row]
    templates: Sequence[Row]
    newest_of_template: Mapping[tuple[str, str], date]
    rates: Sequence[Row]
    closes: Sequence[Row]
    thresholds: Sequence[Row]
    alerts: Sequence[Row]
    shown_months: Sequence[Row]
    links_unknown: bool

    @property
    def base(self) -> str:
        return str(self.tenant["base_currency"])

    @property
    def on_cash_basis(self) -> bool:
        return bool(self.tenant["basis"] == "cash")

    @property
    def unknown_settings(self) -> int:
        """How many of time zone, base currency and basis say nothing that Daybook knows."""
        return (not self.zone_known) + (not is_known(self.base)) + (self.tenant["basis"] not in ("accrual", "cash"))

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


def read_rows(connection: Connection, tenant_id: str) -> dict[str, list[Row]]:
    """Every row of one tenant by table, with the exchange rates of everyone."""

    def rows(table: str) -> list[Row]:
        query = text(f"SELECT * FROM dashboard.{table} WHERE tenant_id IN (:tenant_id, :everyone)")  # noqa: S608
        owners = {"tenant_id": tenant_id, "everyone": EVERYONE if table == "fx_rate" else tenant_id}
        return [dict(row) for row in connection.execute(query, owners).mappings()]

    return {table: rows(table) for table in TABLES}


def open_books(rows: Mapping[str, Sequence[Row]], now: datetime) -> Books:
    """The books that these rows make. Raises LookupError when there is no tenant among them."""
    if not rows["tenant"]:
        raise LookupError("no such tenant")
    tenant = rows["tenant"][0]
    zone, zone_known = _zone(tenant["timezone"])
    today = now.astimezone(zone).date()
    invoices = [row for row in rows["invoice"] if row["status"] == "posted"]
    payments = [row for row in rows["payment"] if row["status"] == "succeeded"]
    expenses = [row for row in rows["expense"] if row["status"] == "posted"]
    return Books(
        tenant=tenant,
        zone=zone,
        zone_known=zone_known,
        now=now,
        today=today,
        client_names={row["client_id"]: row.get("name") for row in rows["client"]},
        invoices=_of_kind(invoices, "invoice"),
        credit_notes=_of_kind(invoices, "credit_note"),
        payments=_of_kind(payments, "payment"),
        refunds=_of_kind(payments, "refund"),
        allocations=rows["allocation"],
        expenses=expenses,
        quotes=[row for row in rows["quote"] if row["status"] not in ("draft", "void")],
        templates=[row for row in rows["recurring"] if row["active"]],
        newest_of_template=_newest_of_template(_of_kind(invoices, "invoice"), expenses),
        rates=[row for row in rows["fx_rate"] if row["base_currency"] == tenant["base_currency"]],
        closes=rows["daily_close"],
        thresholds=rows["threshold"],
        alerts=rows["alert"],
        shown_months=rows["shown_months"],
        links_unknown=_links_unknown(invoices, payments, rows, today),
    )


def _links_unknown(
    invoices: Sequence[Row], payments: Sequence[Row], rows: Mapping[str, Sequence[Row]], today: date
) -> bool:
    """A host that fills `balance` and has money to place, but says of none of it where it went."""
    gives_balances = any(row.get("balance") is not None for row in invoices)
    has_money = any(row["paid_on"] <= today for row in payments) or bool(_of_kind(invoices, "credit_note"))
    says_nothing = not rows["allocation"] and all(row.get("unapplied") is None for row in rows["payment"])
    return gives_balances and has_money and says_nothing


def _newest_of_template(invoices: Iterable[Row], expenses: Iterable[Row]) -> dict[tuple[str, str], date]:
    dated = [("invoice", row.get("recurring_id"), row["issue_date"]) for row in invoices]
    dated += [("expense", row.get("recurring_id"), row["expense_date"]) for row in expenses]
    newest: dict[tuple[str, str], date] = {}
    for kind, recurring_id, day in dated:
        if recurring_id is not None:
            newest[kind, recurring_id] = max(day, newest.get((kind, recurring_id), day))
    return newest


def _of_kind(rows: Iterable[Row], kind: str) -> list[Row]:
    return [row for row in rows if row["kind"] == kind]


def _zone(name: str) -> tuple[ZoneInfo, bool]:
    try:
        return ZoneInfo(name), True
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        return ZoneInfo("UTC"), False


def _microseconds(duration: timedelta) -> Fraction:
    return Fraction(duration // timedelta(microseconds=1))
