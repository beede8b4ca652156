"""Receipts: the documents behind a number, as they are asked for and as they are kept in Redis. Source: SPEC 9.

A receipt is a hash that lives for KEPT_S, one for each (tenant, version, question):
    head     JSON object: number, version, as_of, currency, total, value (of counts and ratios), count, unconverted
    0, 1, …  JSON arrays: the documents of each page
    csv      the documents of all pages as a file, where that was asked for
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date as Date  # noqa: N812 (`date` is a field here)
from decimal import Decimal
from typing import Any, Literal, cast

import msgspec
import redis
from msgspec import UNSET, UnsetType

from shared.errors import StoreUnavailable
from shared.keys import Keys
from shared.snapshot import Instant, PeriodName, Unconverted
from shared.versions import Version

PAGE = 50
KEPT_S = 300
LONGEST_DAYS = 366

_COMPARED = frozenset({"changes"})
_OVER_TIME = _COMPARED | {"period", "from", "to"}
PARAMETERS: Mapping[str, frozenset[str]] = {
    "daily-revenue": _COMPARED | {"client_id", "currency"},
    "daily-expenses": _COMPARED | {"category", "currency"},
    "cash-flow": _COMPARED | {"currency"},
    "pending-invoices": _COMPARED | {"client_id", "currency"},
    "overdue-invoices": _COMPARED | {"bucket", "client_id", "currency"},
    "quote-conversion": _COMPARED | {"client_id", "currency"},
    "client-activity": _COMPARED | {"client_id", "currency"},
    "outstanding": _COMPARED | {"bucket", "client_id", "currency"},
    "customer-credit": frozenset({"client_id"}),
    "forecast": frozenset({"currency"}),
    "revenue": _OVER_TIME | {"client_id", "currency"},
    "expenses": _OVER_TIME | {"category", "currency"},
    "profit": _OVER_TIME | {"currency"},
    "money-in": _OVER_TIME | {"client_id", "currency"},
    "money-out": _OVER_TIME | {"category", "currency"},
}
"""Every number that has documents, and what a question about it may say."""


class Question(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which documents: of a number, over a period by its name or from one day to another, narrowed to some of them.

    changes: those that made the difference to the time before. csv: all of them as a file, too.
    """

    number: str
    period: PeriodName | None = None
    first: Date | None = None
    last: Date | None = None
    bucket: str | None = None
    client_id: str | None = None
    category: str | None = None
    currency: str | None = None
    changes: bool = False
    csv: bool = False

    @property
    def digest(self) -> str:
        """A name of the question: the same for the same one."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=16).hexdigest()


Moved = Literal["in", "out", "changed"]
"""What became of a document since the time before: the number has it now, has it no more, has another amount of it."""


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A client of the tenant."""

    id: str
    name: str | None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A document and what it adds to the number. amount: in its own currency; base_amount: in the tenant's, null without a
    rate.

    kind: invoice, credit_note, payment, refund, expense, quote, recurring; of the forecast's start cash_balance, cash_flow.
    moved: of changes; then the amounts are what the document adds to the change, so of one that is out with a minus.
    """

    kind: str
    id: str | None
    reference: str | None
    date: Date | None
    due_date: Date | None
    client: Party | None
    vendor: str | None
    category: str | None
    amount: Decimal
    currency: str
    base_amount: Decimal | None
    moved: Moved | UnsetType = UNSET


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the documents. total: null where there are some and none of them converts."""

    count: int
    total: Decimal | None


class Moves(msgspec.Struct, frozen=True, kw_only=True, rename={"into": "in"}):
    """What made a change: documents that came, that went, and those with another amount. The totals sum to it."""

    into: Part
    out: Part
    changed: Part


class Before(msgspec.Struct, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}):
    """The number of the time before, as the documents tell it now. Of a balance that is how yesterday ended."""

    first: Date
    last: Date
    total: Decimal | None
    count: int
    value: Decimal | UnsetType | None = UNSET


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of all the documents together. value: the count or ratio beside the money.

    Of changes total and value are what they changed by, null where either side is not known.
    """

    number: str
    version: str
    as_of: Instant
    currency: str
    total: Decimal | None
    value: Decimal | UnsetType | None = UNSET
    count: int
    unconverted: tuple[Unconverted, ...]
    moved: Moves | UnsetType = UNSET
    before: Before | UnsetType = UNSET


class Receipt(Head, frozen=True, kw_only=True):
    """A page as it is served; next: the address of the next one."""

    items: tuple[Item, ...]
    next: str | None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the task: the version that the receipt is kept under, or why there is none."""

    status: Literal["made", "unknown", "failed"]
    version: str | None = None


_encoder = msgspec.json.Encoder(decimal_format="number")


class ReceiptStore:
    """Receipts in Redis. Every call raises StoreUnavailable when it is away."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def keep(self, tenant_id: str, question: Question, head: Head, items: Sequence[Item], csv: str | None) -> None:
        """Keep the receipt for KEPT_S."""
        key = self._keys.receipt(tenant_id, f"{head.version}:{question.digest}")
        pages = [_encoder.encode(items[start : start + PAGE]) for start in range(0, len(items), PAGE)]
        fields: dict[Any, Any] = {"head": _encoder.encode(head), **{str(n): page for n, page in enumerate(pages)}}
        if csv is not None:
            fields["csv"] = csv
        try:
            with self._client.pipeline() as pipe:
                pipe.delete(key)
                pipe.hset(key, mapping=fields)
                pipe.expire(key, KEPT_S)
                pipe.execute()
        except redis.RedisError as error:
            raise StoreUnavailable(type(error).__name__) from error

    def page(
        self, tenant_id: str, version: Version, question: Question, number: int
    ) -> tuple[bytes, bytes, bool] | None:
        """Head and documents of a page (from 0) as they are kept, and whether there is a page after it; None if the receipt
        is not kept."""
        head, items, after = self._fields(tenant_id, version, question, "head", str(number), str(number + 1))
        return None if head is None else (head, items or b"[]", after is not None)

    def csv(self, tenant_id: str, version: Version, question: Question) -> bytes | None:
        """All documents as a file; None if that is not kept."""
        (found,) = self._fields(tenant_id, version, question, "csv")
        return found

    def _fields(self, tenant_id: str, version: Version, question: Question, *names: str) -> list[bytes | None]:
        key = self._keys.receipt(tenant_id, f"{version}:{question.digest}")
        try:
            return cast("list[bytes | None]", self._client.hmget(key, names))
        except redis.RedisError as error:
            raise StoreUnavailable(type(error).__name__) from error
