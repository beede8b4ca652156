"""A document behind a number, on its way from the database into a receipt."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date as Date  # noqa: N812 (`date` is a field here)
from decimal import Decimal

from msgspec import UNSET

from shared.receipts import Item, Moved, Party
from shared.snapshot import Unconverted

COLUMNS = (
    "kind", "id", "reference", "date", "due_date", "client_id", "client", "vendor", "category", "amount", "currency",
    "base_amount",
)  # fmt: skip
# What a spreadsheet would take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """As an Item of shared/receipts.py; documents: how many it stands for."""

    kind: str
    id: str | None = None
    reference: str | None = None
    date: Date | None = None
    due_date: Date | None = None
    client_id: str | None = None
    client_name: str | None = None
    vendor: str | None = None
    category: str | None = None
    amount: Decimal
    currency: str
    base_amount: Decimal | None
    documents: int = 1
    moved: Moved | None = None

    def negative(self) -> Document:
        """The same, taken away."""
        base = None if self.base_amount is None else -self.base_amount
        return replace(self, amount=-self.amount, base_amount=base)

    @property
    def item(self) -> Item:
        """As it is served."""
        client = None if self.client_id is None else Party(id=self.client_id, name=self.client_name)
        return Item(
            kind=self.kind,
            id=self.id,
            reference=self.reference,
            date=self.date,
            due_date=self.due_date,
            client=client,
            vendor=self.vendor,
            category=self.category,
            amount=self.amount,
            currency=self.currency,
            base_amount=self.base_amount,
            moved=self.moved or UNSET,
        )


def in_order(documents: Iterable[Document]) -> list[Document]:
    """The largest first, whatever its sign; those without a rate last."""
    return sorted(
        documents,
        key=lambda one: (
            one.base_amount is None,
            -abs(one.amount if one.base_amount is None else one.base_amount),
            one.date or Date.max,
            one.kind,
            one.id or "",
        ),
    )


def of_creditors(documents: Sequence[Document]) -> list[Document]:
    """Without those of clients who have nothing left in all."""
    net: dict[str | None, Decimal] = {}
    for one in documents:
        net[one.client_id] = net.get(one.client_id, Decimal()) + (one.base_amount or 0)
    return [one for one in documents if net[one.client_id] > 0 or one.base_amount is None]


def left_out(documents: Iterable[Document]) -> tuple[Unconverted, ...]:
    """What has no rate, by currency. An invoice that is expected on several days is one document; a template is one each
    time that it makes some, two of which may be on one day.
    """
    amounts: dict[str, Decimal] = {}
    counts: dict[str, int] = {}
    seen: set[tuple[object, ...]] = set()
    for one in documents:
        if one.base_amount is None:
            amounts[one.currency] = amounts.get(one.currency, Decimal()) + one.amount
            name = (one.currency, one.kind, one.id)
            if one.id is None or one.kind == "recurring" or name not in seen:
                counts[one.currency] = counts.get(one.currency, 0) + one.documents
            seen.add(name)
    return tuple(Unconverted(currency=c, amount=amounts[c], documents=counts.get(c, 0)) for c in sorted(amounts))


def as_csv(documents: Sequence[Document], *, with_changes: bool = False) -> str:
    """A file for a spreadsheet: a line for each document, and no text that it would take for a formula."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow((*COLUMNS, "moved") if with_changes else COLUMNS)
    for one in documents:
        texts = (one.kind, one.id, one.reference), (one.client_id, one.client_name, one.vendor, one.category)
        writer.writerow(
            [
                *map(_harmless, texts[0]), one.date, one.due_date, *map(_harmless, texts[1]), f"{one.amount:f}",
                _harmless(one.currency), None if one.base_amount is None else f"{one.base_amount:f}",
                *([one.moved] if with_changes else []),
            ]
        )  # fmt: skip
    return lines.getvalue()


def _harmless(text: str | None) -> str | None:
    return f"'{text}" if text and text.startswith(_FORMULA) else text
