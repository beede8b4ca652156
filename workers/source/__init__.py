"""Rows to facts: SQL in, `TenantFacts` out. One file per family of statements; the only place that reads the contract.

Nothing is rounded or judged here: a statement counts, sums and groups, and workers/kpi decides what it means.
"""

from workers.source.source import Loaded, Source

__all__ = ["Loaded", "Source"]
