"""What a recalculation reports: the result of the task dashboard.recalculate, as JSON through Celery."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

Status = Literal["changed", "unchanged", "refused", "unknown", "failed"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant's recalculation.

    changed / unchanged: computed, with or without a new version. refused: Redis already holds a later state.
    unknown: the database has no such tenant. failed: `reason` says why; the last snapshot stands, marked failing.
    """

    tenant_id: str
    status: Status
    version: str | None = None
    performance_score: Decimal | None = None
    reason: str | None = None


class Recalculation(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one task: every tenant it was asked for, and how long it took as a whole."""

    outcomes: tuple[Outcome, ...]
    duration_seconds: float
