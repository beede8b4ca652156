"""Writes rows of the contract (SPEC 3) as a host product would: one call, one row, sensible defaults, its id back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

Amount = Decimal | int | str
TERMS = timedelta(days=30)


def add_tenant(db: psycopg.Connection[Any], tenant_id: str = "t1", **columns: Any) -> Rows:
    """A new tenant (UTC, USD, accrual unless told otherwise) and the builder of its rows."""
    rows = Rows(db, tenant_id, currency=columns.setdefault("base_currency", "USD"))
    rows.insert("tenant", columns)
    return rows


@dataclass
class Rows:
    """Rows of one tenant. A column that has no parameter of its own goes by its name: `basis="cash"`.

    `currency` is what documents are in unless they say otherwise. `on` gives a payment, refund or credit note its
    allocations: invoice id → amount.
    """

    db: psycopg.Connection[Any]
    tenant_id: str
    currency: str = "USD"
    _count: dict[str, int] = field(default_factory=dict)

    def insert(self, table: str, columns: Mapping[str, Any]) -> None:
        """One row of any table of the schema, the tenant's id added."""
        row = {"tenant_id": self.tenant_id, **columns}
        self.db.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier("dashboard", table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(sql.Placeholder() * len(row)),
            ),
            list(row.values()),
        )

    def client(self, client_id: str, **columns: Any) -> str:
        self.insert("client", {"client_id": client_id, **columns})
        return client_id

    def invoice(self, issue_date: date, total: Amount, *, tax: Amount | None = 0, **columns: Any) -> str:
        """A posted invoice due in 30 days."""
        due = {"due_date": issue_date + TERMS} if columns.get("kind", "invoice") == "invoice" else {}
        document = {"status": "posted", **due, "issue_date": issue_date, "total": total, "tax": tax}
        return self._document("invoice", document | columns)

    def credit_note(
        self, issue_date: date, total: Amount, *, on: Mapping[str, Amount] | None = None, **columns: Any
    ) -> str:
        """A posted credit note."""
        note = self.invoice(issue_date, total, kind="credit_note", **columns)
        self._allocate("credit_note", note, on)
        return note

    def payment(self, paid_on: date, amount: Amount, *, on: Mapping[str, Amount] | None = None, **columns: Any) -> str:
        """A payment that succeeded; with kind="refund" a refund."""
        row = {"kind": "payment", "status": "succeeded", "paid_on": paid_on, "amount": amount, **columns}
        payment = self._document("payment", row)
        self._allocate(row["kind"], payment, on)
        return payment

    def refund(self, paid_on: date, amount: Amount, *, on: Mapping[str, Amount] | None = None, **columns: Any) -> str:
        """A refund that succeeded."""
        return self.payment(paid_on, amount, on=on, kind="refund", **columns)

    def expense(self, expense_date: date, total: Amount, *, tax: Amount | None = 0, **columns: Any) -> str:
        """A posted expense, not paid unless `paid_on` is given."""
        return self._document(
            "expense", {"status": "posted", "expense_date": expense_date, "total": total, "tax": tax, **columns}
        )

    def quote(self, status: str, issue_date: date, total: Amount = 100, **columns: Any) -> str:
        """A quote in any status."""
        return self._document("quote", {"status": status, "issue_date": issue_date, "total": total, **columns})

    def recurring(self, next_on: date, amount: Amount, **columns: Any) -> str:
        """An active monthly invoice template."""
        template = {"kind": "invoice", "interval_unit": "month", "interval_count": 1, "active": True}
        return self._document("recurring", template | {"next_on": next_on, "amount": amount, **columns})

    def rate(
        self, currency: str, rate_date: date, rate: Amount, *, base: str | None = None, everyone: bool = False
    ) -> None:
        """An exchange rate into `base` (the tenant's own currency if None), for this tenant alone or for everyone."""
        row = {"currency": currency, "base_currency": base or self.currency, "rate_date": rate_date, "rate": rate}
        self.insert("fx_rate", row | ({"tenant_id": "*"} if everyone else {}))

    def close(self, day: date, **columns: Any) -> None:
        """What Daybook kept of a past local day; 0 where not told."""
        counts = {"pending": 0, "overdue": 0, "active_clients": 0, "source_state": 0}
        self.insert("daily_close", {"local_date": day, **counts, **columns})

    def _document(self, table: str, columns: dict[str, Any]) -> str:
        self._count[table] = number = self._count.get(table, 0) + 1
        document_id: str = columns.setdefault(f"{table}_id", f"{table}-{number}")
        columns.setdefault("currency", self.currency)
        self.insert(table, columns)
        return document_id

    def _allocate(self, source_kind: str, source_id: str, on: Mapping[str, Amount] | None) -> None:
        for invoice_id, amount in (on or {}).items():
            self._count["allocation"] = number = self._count.get("allocation", 0) + 1
            row = {"allocation_id": f"allocation-{number}", "source_kind": source_kind, "source_id": source_id}
            self.insert("allocation", row | {"invoice_id": invoice_id, "amount": amount})
