"""Is what Redis serves what the database implies? `audit` compares it with `recount`, the second calculation.

It reads snapshots and rows and repairs nothing itself: who drifts is recomputed by the caller's means.
"""

from workers.audit.audit import BUDGET_S, Audit, Finding, drifting, record, report

__all__ = ["BUDGET_S", "Audit", "Finding", "drifting", "record", "report"]
