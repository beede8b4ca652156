"""The contract, stated once: what each table of the schema dashboard holds, column by column (SPEC 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["identifier", "text", "money", "rate", "currency", "date", "timestamp", "integer", "boolean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column. `words` are all that it may say; `least` and `most` bound a whole number or an amount.

    default: what stands in the table where nothing is said; `by_default` tells it from null.
    """

    kind: Kind
    nullable: bool = False
    words: tuple[str, ...] = ()
    default: str | int | bool | None = None
    least: int | None = None
    most: int | None = None

    @property
    def by_default(self) -> bool:
        """Whether the column may be left out although it cannot be null."""
        return self.default is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table: its columns in order, and which of them name a row."""

    key: tuple[str, ...]
    columns: Mapping[str, Column] = field(repr=False)

    @property
    def dated(self) -> bool:
        """Whether a row says when it was changed last."""
        return "updated_at" in self.columns


_ID = Column(kind="identifier")
_TEXT = Column(kind="text", nullable=True)
_MONEY = Column(kind="money", nullable=True)
_DATE = Column(kind="date", nullable=True)
_MOMENT = Column(kind="timestamp", nullable=True)
_DAY = Column(kind="date")
_AMOUNT = Column(kind="money")
_POSITIVE = Column(kind="money", least=0)
_CURRENCY = Column(kind="currency")
_RATE = Column(kind="rate", nullable=True)
# Null in no table, but filled by the table itself.
_UPDATED = Column(kind="timestamp", nullable=True)


def _words(*words: str, default: str | None = None) -> Column:
    return Column(kind="text", words=words, default=default)


def _table(key: str, /, **columns: Column) -> Table:
    return Table(key=("tenant_id", key), columns={"tenant_id": _ID, key: _ID, **columns})


_STATUS = _words("draft", "posted", "void")
_DOCUMENT = {"currency": _CURRENCY, "base_rate": _RATE}

TABLES: Mapping[str, Table] = {
    "tenant": Table(
        key=("tenant_id",),
        columns={
            "tenant_id": _ID,
            "name": _TEXT,
            "timezone": Column(kind="text"),
            "base_currency": _CURRENCY,
            "fiscal_year_start_month": Column(kind="integer", default=1, least=1, most=12),
            "basis": _words("accrual", "cash", default="accrual"),
            "cash_balance": _MONEY,
            "cash_balance_on": _DATE,
        },
    ),
    "client": _table("client_id", name=_TEXT, created_at=_MOMENT, archived_at=_MOMENT, updated_at=_UPDATED),
    "invoice": _table(
        "invoice_id",
        client_id=_TEXT,
        reference=_TEXT,
        kind=_words("invoice", "credit_note", default="invoice"),
        status=_STATUS,
        issue_date=_DAY,
        due_date=_DATE,
        **_DOCUMENT,
        total=_POSITIVE,
        tax=_MONEY,
        balance=_MONEY,
        written_off_on=_DATE,
        created_at=_MOMENT,
        recurring_id=_TEXT,
        updated_at=_UPDATED,
    ),
    "payment": _table(
        "payment_id",
        client_id=_TEXT,
        reference=_TEXT,
        kind=_words("payment", "refund", default="payment"),
        status=_words("succeeded", "pending", "failed"),
        paid_on=_DAY,
        paid_at=_MOMENT,
        **_DOCUMENT,
        amount=_POSITIVE,
        unapplied=_MONEY,
        updated_at=_UPDATED,
    ),
    "allocation": _table(
        "allocation_id",
        source_kind=_words("payment", "refund", "credit_note"),
        source_id=_ID,
        invoice_id=_ID,
        amount=_POSITIVE,
        allocated_on=_DATE,
    ),
    "expense": _table(
        "expense_id",
        reference=_TEXT,
        category=_TEXT,
        vendor=_TEXT,
        status=_STATUS,
        expense_date=_DAY,
        due_date=_DATE,
        paid_on=_DATE,
        **_DOCUMENT,
        total=_AMOUNT,
        tax=_MONEY,
        recurring_id=_TEXT,
        updated_at=_UPDATED,
    ),
    "quote": _table(
        "quote_id",
        client_id=_TEXT,
        reference=_TEXT,
        status=_words("draft", "sent", "accepted", "declined", "expired", "converted", "void"),
        issue_date=_DAY,
        expiry_date=_DATE,
        decided_on=_DATE,
        invoice_id=_TEXT,
        **_DOCUMENT,
        total=_AMOUNT,
        updated_at=_UPDATED,
    ),
    "recurring": _table(
        "recurring_id",
        kind=_words("invoice", "expense"),
        currency=_CURRENCY,
        amount=_AMOUNT,
        interval_unit=_words("day", "week", "month", "year"),
        interval_count=Column(kind="integer", default=1, least=1, most=2_147_483_647),
        next_on=_DATE,
        ends_on=_DATE,
        active=Column(kind="boolean", default=True),
        terms_days=Column(kind="integer", nullable=True, least=0, most=3650),
        updated_at=_UPDATED,
    ),
    "fx_rate": Table(
        key=("tenant_id", "currency", "base_currency", "rate_date"),
        columns={
            "tenant_id": Column(kind="identifier", default="*"),
            "currency": _CURRENCY,
            "base_currency": _CURRENCY,
            "rate_date": _DAY,
            "rate": Column(kind="rate"),
        },
    ),
}

REQUIRED = ("tenant", "invoice")
"""Without these there is no dashboard; the other tables may stay empty."""


def of_kind(table: str, *kinds: Kind) -> Iterator[str]:
    """The names of the table's columns of these kinds."""
    return (name for name, column in TABLES[table].columns.items() if column.kind in kinds)
