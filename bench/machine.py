"""What the measurements share: the product as it is measured, and what else the machine was doing meanwhile."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sqlalchemy import Engine, text

from demo.volume import load_volume
from tests.stack import Stack

# PostgreSQL as it is installed, but for its port and memory: commits wait for the disk.
POSTGRES = ("max_connections=60", "shared_buffers=256MB")


# A tenant's first day is dearer than any other: yesterday's close has to be worked out.
_KNOWN_SINCE_YESTERDAY = text("""
    INSERT INTO dashboard.daily_close (tenant_id, local_date, pending, overdue, active_clients, source_state)
    SELECT tenant_id, current_date - 2, 0, 0, 0, 0 FROM dashboard.tenant
""")


def fill(engine: Engine, *, tenants: int, documents: int) -> None:
    """So many tenants, none of them on its first day."""
    load_volume(engine, tenants=tenants, documents=documents)
    with engine.begin() as connection:
        connection.execute(_KNOWN_SINCE_YESTERDAY)


def product(*, tenants: int, documents: int, env: Mapping[str, str] | None = None) -> Stack:
    """Every process of the Procfile with services of its own, and so many tenants; one sweep, at the start."""
    return Stack(
        env={"DASHBOARD_CACHE_TIMEOUT": "86400", **(env or {})},
        postgres_options=POSTGRES,
        fill=lambda engine: fill(engine, tenants=tenants, documents=documents),
    )


def load_note() -> str:
    """The load average at this moment: figures taken beside other programs are worse than the product's own."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]
