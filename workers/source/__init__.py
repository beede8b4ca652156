"""Rows to facts: SQL in, `TenantFacts` out. One file per family of statements; the only place that reads the contract.

Money becomes base units here, rounded document by document (SPEC 4.5); what it means, workers/kpi decides.
"""

from workers.source.fingerprint import Fingerprint, Remembered
from workers.source.source import Explanation, Loaded, Source

__all__ = ["Explanation", "Fingerprint", "Loaded", "Remembered", "Source"]
