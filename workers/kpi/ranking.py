"""The largest parts of a whole, and their shares of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from workers.kpi.money import ZERO, trim
from workers.kpi.totals import Total

TOP = 10


def shares(parts: Mapping[str | None, Total]) -> list[tuple[str | None, Decimal, Decimal | None, int]]:
    """(name, amount, share of the whole 0..1, documents) of the ten largest parts, largest first; ties by name.

    Parts of which nothing could be converted are left out. The share is None when the whole is not above 0.
    """
    known = [(name, part.value, part.documents) for name, part in parts.items()]
    amounts = [(name, amount, documents) for name, amount, documents in known if amount is not None]
    whole = sum((amount for _, amount, _ in amounts), ZERO)
    amounts.sort(key=lambda part: (-part[1], part[0] is None, part[0] or ""))
    has_shares = trim(whole) > 0
    return [
        (name, amount, amount / whole if has_shares else None, documents) for name, amount, documents in amounts[:TOP]
    ]
