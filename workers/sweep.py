"""Whose turn it is in the sweep, which computes everyone now and then even if nothing is known to have changed.

Each tenant has its turn within the period, always the same, so that the work is spread evenly. A tick takes those whose
turn has come since the tick before: one that is late or lost leaves nobody out.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

# Ticks are this far apart: often enough that few tenants share one, seldom enough to list all tenants for it.
SHORTEST_TICK_S, LONGEST_TICK_S = 5, 60
TICKS = 100


def tick_s(period_s: int) -> int:
    """Seconds between the ticks of a sweep that takes `period_s`; what is over within a minute is not worth spreading."""
    if period_s < LONGEST_TICK_S:
        return period_s
    return min(max(period_s // TICKS, SHORTEST_TICK_S), LONGEST_TICK_S)


def whose_turn(tenant_ids: Iterable[str], *, since_s: float | None, until_s: float, period_s: int) -> list[str]:
    """Those whose turn came after `since_s` and by `until_s`, seconds of one clock; everyone after a whole period, or
    where there was no tick yet."""
    if since_s is None or not since_s <= until_s < since_s + period_s:
        return list(tenant_ids)
    return [
        tenant_id for tenant_id in tenant_ids if (until_s - _turn_s(tenant_id, period_s)) % period_s < until_s - since_s
    ]


def _turn_s(tenant_id: str, period_s: int) -> float:
    return zlib.crc32(tenant_id.encode()) % (1000 * period_s) / 1000
