"""The parts of a whole, largest first, and their shares of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from workers.kpi.money import ZERO
from workers.kpi.totals import Total

TOP = 10


class Row(NamedTuple):
    """A part, and its share 0..1 of all positive parts (None where it has none)."""

    name: str | None
    total: Total
    share: Decimal | None


def ranked(parts: Mapping[str | None, Total]) -> list[Row]:
    """The ten largest parts, largest first, those without a known amount last; ties by name, without name last.

    A share is of the positive parts' sum; the others have none, and nobody has one while a document lacks a rate.
    """
    positive = sum((part.amount for part in parts.values() if part.amount > 0), ZERO)
    has_shares = not any(part.lacking for part in parts.values())
    return [
        Row(name, part, part.amount / positive if has_shares and part.amount > 0 else None)
        for name, part in sorted(parts.items(), key=_place)[:TOP]
    ]


def _place(item: tuple[str | None, Total]) -> tuple[bool, Decimal, bool, str]:
    name, part = item
    return part.value is None, -(part.value or ZERO), name is None, name or ""
