"""Sums that know which documents they left out for want of an exchange rate. Source: SPEC 4, rule 4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from shared.snapshot import Unconverted
from workers.kpi.money import ZERO, finite, money


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


@dataclass(slots=True)
class Total:
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

    def add_balance(
        self, base: Decimal | None, amount: Decimal, currency: str, documents: int, anomalies: int = 0
    ) -> None:
        """Count documents whose money is known in their own currency, and in base units (None = without a rate)."""
        if base is None:
            self.add(amount, documents, no_rate=currency, anomalies=anomalies)
        else:
            self.add(base, documents, anomalies=anomalies)

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

    def lacking_part(self) -> Total:
        """Only the documents that have no rate, and what is left out of them."""
        part = Total(documents=self.documents - self.convertible)
        if self._left_out is not None:
            part._include_left_out(self._left_out)
        return part

    def _include_left_out(self, left_out: Leftovers, *, sign: int = 1) -> None:
        for currency, amount, documents in left_out:
            self.leave_out(currency, amount * sign, documents)


def summed(totals: Iterable[Total]) -> Total:
    """All of them together, as a new total."""
    whole = Total()
    for total in totals:
        whole.include(total)
    return whole
