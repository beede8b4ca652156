"""An item is one document's part in a metric; sums, left-out money and data quality are read from lists of items."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from shared.currency import exponent


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """`amount` in `currency` as the metric counts it; `rate` makes it base units, None when there is no rate.

    A document may have several items (a payment has one for each allocation): `document` says which belong together.
    """

    document: tuple[str, str]
    currency: str
    amount: Fraction
    rate: Fraction | None
    anomalous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconverted:
    """Money left out for want of a rate: rounded, in its own currency."""

    amount: Decimal
    documents: int


def rounded(value: Fraction, places: int) -> Decimal:
    """Half up (away from zero), once."""
    units = math.floor(abs(value) * 10**places + Fraction(1, 2))
    return Decimal(f"{'-' if value < 0 else ''}{units}E-{places}")


def negative(items: Iterable[Item]) -> list[Item]:
    """The same items on the other side."""
    return [replace(item, amount=-item.amount) for item in items]


def documents(items: Iterable[Item]) -> set[tuple[str, str]]:
    return {item.document for item in items}


def unconvertible(items: Iterable[Item]) -> set[tuple[str, str]]:
    """Documents of which any part has no rate."""
    return {item.document for item in items if item.rate is None}


def total(items: Sequence[Item]) -> Fraction | None:
    """Sum in base units; 0 without documents, None when there are some and none is convertible."""
    if items and documents(items) == unconvertible(items):
        return None
    return sum((item.amount * item.rate for item in items if item.rate is not None), Fraction(0))


def unconverted(items: Iterable[Item]) -> dict[str, Unconverted]:
    """What `total` left out, by currency."""
    left_out: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.rate is None:
            left_out[item.currency].append(item)
    return {
        currency: Unconverted(
            amount=rounded(sum((item.amount for item in group), Fraction(0)), exponent(currency)),
            documents=len(documents(group)),
        )
        for currency, group in left_out.items()
    }


def convertible_share(items: Sequence[Item]) -> Fraction:
    """Convertible documents / all, 0..1; 1 without any."""
    return 1 - _share(unconvertible(items), items)


def sound_share(items: Sequence[Item]) -> Fraction:
    """Documents without anomaly / all, 0..1; 1 without any."""
    return 1 - _share({item.document for item in items if item.anomalous}, items)


def _share(part: set[tuple[str, str]], items: Sequence[Item]) -> Fraction:
    return Fraction(len(part), len(documents(items)) or 1)
