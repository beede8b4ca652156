"""Sums that know which documents they left out for want of an exchange rate. Source: SPEC 4, rule 4."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import repeat
from typing import Generic, Protocol, TypeVar

import msgspec

from shared.snapshot import Unconverted
from workers.kpi.money import ZERO, finite, money

K = TypeVar("K", bound=Hashable)

Documents = tuple[str | None, Decimal, int, int]
"""The currency without a rate (None: they convert), their amount in it or in base units, how many, how many look wrong."""
Entry = tuple[K, str | None, Decimal, int, int]
"""Documents, and the key that they stand under."""


class Leftovers:
    """What was left out, by currency: amounts as the sum would count them, never converted, never added together."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[str, tuple[Decimal, int]] = {}

    def add(self, currency: str, amount: Decimal, documents: int) -> None:
        """Leave out so much of a currency. Raises ValueError for an amount that is no number."""
        held, count = self._sums.get(currency, (ZERO, 0))
        self._sums[currency] = (held + finite(amount), count + documents)

    @property
    def currencies(self) -> tuple[str, ...]:
        """Which currencies had no rate, in order."""
        return tuple(sorted(self._sums))

    def __iter__(self) -> Iterator[tuple[str, Decimal, int]]:
        for currency in self.currencies:
            amount, documents = self._sums[currency]
            yield currency, amount, documents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Leftovers) and self._sums == other._sums

    __hash__ = None  # type: ignore[assignment]

    def listed(self) -> tuple[Unconverted, ...]:
        """For the wire: by currency code, in the currency's own minor unit."""
        return tuple(
            Unconverted(currency=currency, amount=money(amount, currency), documents=documents)
            for currency, amount, documents in self
        )


_NOTHING = Leftovers()


class Total(msgspec.Struct):
    """A sum in base units being added up.

    convertible: documents in it; anomalies: documents that look wrong (no due date, tax unknown…). in_part: something of
    documents that are not convertible as a whole is in it. known: False where nobody can say what belongs to the sum.
    """

    amount: Decimal = ZERO
    documents: int = 0
    convertible: int = 0
    anomalies: int = 0
    in_part: bool = False
    known: bool = True
    # Made when something is left out: there are hundreds of totals in a dashboard, and hardly one lacks a rate.
    _left_out: Leftovers | None = None

    @property
    def left_out(self) -> Leftovers:
        """What has no rate, to look at."""
        return self._left_out or _NOTHING

    def leave_out(self, currency: str, amount: Decimal, documents: int) -> None:
        """Leave out so much of a currency. Raises ValueError for an amount that is no number."""
        if self._left_out is None:
            self._left_out = Leftovers()
        self._left_out.add(currency, amount, documents)

    def add(
        self, amount: Decimal, documents: int, *, no_rate: str | None = None, anomalies: int = 0, again: int = 0
    ) -> None:
        """Count documents; `amount` is in base units, or in the currency `no_rate`. Raises ValueError if no number.

        again: how many of them are told as left out elsewhere already.
        """
        self.documents += documents
        self.anomalies += anomalies
        if no_rate is None:
            self.amount += amount if amount.is_finite() else finite(amount)
            self.convertible += documents
        else:
            self.leave_out(no_rate, amount, documents - again)

    def add_all(self, entries: Iterable[Documents]) -> None:
        """Count documents. Raises ValueError for an amount that is no number."""
        amount, documents, wrong = self.amount, 0, 0
        for no_rate, part, count, anomalies in entries:
            if no_rate is None:
                amount += part if part.is_finite() else finite(part)
                documents += count
                wrong += anomalies
            else:
                self.add(part, count, no_rate=no_rate, anomalies=anomalies)
        self.amount = amount
        self.documents += documents
        self.convertible += documents
        self.anomalies += wrong

    @property
    def lacking(self) -> tuple[str, ...]:
        """Which currencies had no rate, in order; empty when nothing was left out."""
        return () if self._left_out is None else self._left_out.currencies

    @property
    def value(self) -> Decimal | None:
        """The sum; 0 without documents, None when it is unknown or documents are there and nothing could be converted."""
        nothing_converted = self.documents and not self.convertible and not self.in_part
        return self.amount if self.known and not nothing_converted else None

    def include(self, other: Total) -> None:
        """Add another total's sum and documents to this one."""
        self.amount += other.amount
        self.documents += other.documents
        self.convertible += other.convertible
        self.anomalies += other.anomalies
        self.in_part = self.in_part or other.in_part
        self.known = self.known and other.known
        if other._left_out is not None:
            self._include_left_out(other._left_out)

    def negative(self) -> Total:
        """The same on the other side: amounts with the opposite sign."""
        other = Total(-self.amount, self.documents, self.convertible, self.anomalies, self.in_part, self.known)
        if self._left_out is not None:
            other._include_left_out(self._left_out, sign=-1)
        return other

    def _include_left_out(self, left_out: Leftovers, *, sign: int = 1) -> None:
        for currency, amount, documents in left_out:
            self.leave_out(currency, amount * sign, documents)


def summed(totals: Iterable[Total]) -> Total:
    """All of them together, as a new total."""
    whole = Total()
    for total in totals:
        whole.include(total)
    return whole


class Balance(Protocol):
    """Documents whose money is known in their own currency, and in base units (None = without a rate)."""

    @property
    def currency(self) -> str: ...

    @property
    def amount(self) -> Decimal: ...

    @property
    def base(self) -> Decimal | None: ...


def worth(balance: Balance) -> tuple[str | None, Decimal]:
    """The currency that has no rate (None: it converts), and the amount in it or in base units."""
    base = balance.base
    return (balance.currency, balance.amount) if base is None else (None, base)


@dataclass(slots=True)
class Totals(Generic[K]):
    """Sums side by side, each under its key.

    What converts stands in plain columns, and for most tenants that is all; whatever has no rate is counted apart, in a total
    for each key that misses something. amounts, documents, anomalies: of what converts. lacking: of what does not.
    """

    amounts: dict[K, Decimal] = field(default_factory=dict)
    documents: dict[K, int] = field(default_factory=dict)
    anomalies: dict[K, int] = field(default_factory=dict)
    lacking: dict[K, Total] = field(default_factory=dict)

    def add(self, entries: Iterable[Entry[K]]) -> None:
        """Count documents. Raises ValueError for an amount that is no number."""
        amounts, documents = self.amounts, self.documents
        for key, no_rate, amount, count, anomalies in entries:
            if no_rate is not None:
                self.lacking_of(key).add(amount, count, no_rate=no_rate, anomalies=anomalies)
                continue
            if not amount.is_finite():
                finite(amount)  # raises; asked first, because calling it costs as much as adding
            if key in amounts:
                amounts[key] += amount
                documents[key] += count
            else:
                amounts[key], documents[key] = amount, count
            if anomalies:
                self.anomalies[key] = self.anomalies.get(key, 0) + anomalies

    def lacking_of(self, key: K) -> Total:
        """What has no rate under that key, to be added to."""
        found = self.lacking.get(key)
        if found is None:
            found = self.lacking[key] = Total()
        return found

    def keys(self) -> Collection[K]:
        """All keys, in no order."""
        return self.amounts.keys() | self.lacking.keys() if self.lacking else self.amounts.keys()

    def count(self, key: K) -> int:
        """How many documents there are under that key."""
        without_rate = self.lacking[key].documents if key in self.lacking else 0
        return self.documents.get(key, 0) + without_rate

    def value(self, key: K) -> Decimal | None:
        """The key's sum; 0 without documents, None when documents are there and nothing could be converted."""
        return self.total(key).value if key in self.lacking else self.amounts.get(key, ZERO)

    def values_of(self, keys: Sequence[K]) -> list[Decimal | None]:
        """The sum of each of these keys, in their order."""
        if self.lacking:
            return [self.value(key) for key in keys]
        return list(map(self.amounts.get, keys, repeat(ZERO)))

    def values(self) -> Mapping[K, Decimal | None]:
        """The sum of each key."""
        return {key: self.value(key) for key in self.keys()} if self.lacking else self.amounts

    def total(self, key: K) -> Total:
        """The key's sum, and the documents behind it."""
        converted = self.documents.get(key, 0)
        total = Total(self.amounts.get(key, ZERO), converted, converted, self.anomalies.get(key, 0))
        if key in self.lacking:
            total.include(self.lacking[key])
        return total

    def whole(self) -> Total:
        """All of them together."""
        converted = sum(self.documents.values())
        whole = Total(sum(self.amounts.values(), ZERO), converted, converted, sum(self.anomalies.values()))
        for total in self.lacking.values():
            whole.include(total)
        return whole

    def left_out(self) -> tuple[Unconverted, ...]:
        """What has no rate, for the wire."""
        return summed(self.lacking.values()).left_out.listed() if self.lacking else ()
