"""The parts of a whole, largest first, and their shares of it."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from workers.kpi.money import RATIO_PLACES, ZERO, all_rounded, quotient
from workers.kpi.totals import Totals

TOP = 10

Row = tuple[str | None, Decimal | None, Decimal | None, int]
"""A part: its name, its sum as it is shown (None where nothing converts), its share 0..1 of all positive parts (None where it
has none), and how many documents it has."""


def ranked(parts: Totals[str | None], places: int) -> list[Row]:
    """The ten largest parts, largest first, those without a known amount last; ties by name, without name last.

    A share is of the positive parts' sum; the others have none, and nobody has one while a document lacks a rate.
    places: the decimals of the base currency.
    """
    values = parts.values()
    # Sorting keeps the order of equals: what decides last comes first.
    names = by_name(values)
    if parts.lacking:
        names.sort(key=lambda name: values[name] or ZERO, reverse=True)
        names.sort(key=lambda name: values[name] is None)
    else:
        names.sort(key=parts.amounts.__getitem__, reverse=True)
    positive = ZERO if parts.lacking else sum([amount for amount in parts.amounts.values() if amount > 0], ZERO)
    listed = names[:TOP]
    sums = all_rounded([values[name] for name in listed], places)
    return [
        (name, shown, _share(values[name], positive), parts.count(name))
        for name, shown in zip(listed, sums, strict=True)
    ]


def by_name(names: Collection[str | None]) -> list[str | None]:
    """In order, without name last."""
    there = sorted([name for name in names if name is not None])
    return [*there, None] if None in names else [*there]


def _share(value: Decimal | None, positive: Decimal) -> Decimal | None:
    return quotient(value / positive, RATIO_PLACES) if positive and value and value > 0 else None
