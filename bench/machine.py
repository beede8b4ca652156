"""What the measurements share: the product as it is measured, and what else the machine was doing meanwhile."""

from __future__ import annotations

import os
from collections.abc import Mapping

from demo.volume import load_volume
from tests.stack import Stack

# PostgreSQL as it is installed, but for its port and memory: commits wait for the disk.
POSTGRES = ("max_connections=60", "shared_buffers=256MB")


def product(*, tenants: int, documents: int, env: Mapping[str, str] | None = None) -> Stack:
    """Every process of the Procfile with services of its own, and so many tenants; one sweep, at the start."""
    return Stack(
        env={"DASHBOARD_CACHE_TIMEOUT": "86400", **(env or {})},
        postgres_options=POSTGRES,
        fill=lambda engine: load_volume(engine, tenants=tenants, documents=documents),
    )


def load_note() -> str:
    """The load average at this moment: figures taken beside other programs are worse than the product's own."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]
