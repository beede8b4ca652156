"""Sums that know how many documents they left out for want of an exchange rate. Source: SPEC 4, rule 4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from shared.snapshot import Unconverted
from workers.kpi.money import ZERO, money


@dataclass(slots=True)
class Total:
    """A sum in base units being added up. anomalies: documents that look wrong (no due date, tax unknown…)."""

    amount: Decimal = ZERO
    documents: int = 0
    convertible: int = 0
    anomalies: int = 0

    def add(self, amount: Decimal | None, documents: int, anomalies: int = 0) -> None:
        """Count documents; `amount` in base units, or None when no rate is known for them."""
        self.documents += documents
        self.anomalies += anomalies
        if amount is not None:
            self.amount += amount
            self.convertible += documents

    @property
    def value(self) -> Decimal | None:
        """The sum; 0 without documents, None when documents are there but none could be converted."""
        return None if self.documents and not self.convertible else self.amount

    def include(self, other: Total) -> None:
        """Add another total's sum and documents to this one."""
        self.amount += other.amount
        self.documents += other.documents
        self.convertible += other.convertible
        self.anomalies += other.anomalies


def summed(totals: Iterable[Total]) -> Total:
    """All of them together, as a new total."""
    whole = Total()
    for total in totals:
        whole.include(total)
    return whole


class Leftovers:
    """What was left out, by currency: amounts as the metric would count them, never converted, never added together."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[str, tuple[Decimal, int]] = {}

    def add(self, currency: str, amount: Decimal, documents: int) -> None:
        """Leave out so much of a currency."""
        held, count = self._sums.get(currency, (ZERO, 0))
        self._sums[currency] = (held + amount, count + documents)

    def plus(self, other: Leftovers, *, sign: int = 1) -> Leftovers:
        """Both together, the other's amounts times `sign`."""
        both = Leftovers()
        both._sums = dict(self._sums)
        for currency, amount, documents in other:
            both.add(currency, amount * sign, documents)
        return both

    def __iter__(self) -> Iterator[tuple[str, Decimal, int]]:
        for currency in sorted(self._sums):
            amount, documents = self._sums[currency]
            yield currency, amount, documents

    def listed(self) -> tuple[Unconverted, ...]:
        """For the wire: by currency code, rounded to the currency's own minor unit."""
        return tuple(
            Unconverted(currency=currency, amount=money(amount, currency), documents=documents)
            for currency, amount, documents in self
        )
