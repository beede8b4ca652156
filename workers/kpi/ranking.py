"""The parts of a whole, largest first, and their shares of it."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from workers.kpi.money import ZERO
from workers.kpi.totals import Totals

TOP = 10


class Row(NamedTuple):
    """A part: its sum (None where nothing converts), and its share 0..1 of all positive parts (None where it has none)."""

    name: str | None
    value: Decimal | None
    share: Decimal | None
    documents: int


def ranked(parts: Totals[str | None]) -> list[Row]:
    """The ten largest parts, largest first, those without a known amount last; ties by name, without name last.

    A share is of the positive parts' sum; the others have none, and nobody has one while a document lacks a rate.
    """
    values = parts.values()
    # Sorting keeps the order of equals: what decides last comes first.
    names = sorted(values, key=lambda name: (name is None, name))
    names.sort(key=lambda name: values[name] or ZERO, reverse=True)
    names.sort(key=lambda name: values[name] is None)
    positive = sum([amount for amount in parts.amounts.values() if amount > 0], ZERO)
    return [
        Row(name, value, value / positive if value and value > 0 and not parts.lacking else None, parts.count(name))
        for name in names[:TOP]
        for value in (values[name],)
    ]
