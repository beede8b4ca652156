"""The errors that cross a module boundary: one root, and what the reader should do about each child."""

from __future__ import annotations


class DaybookError(Exception):
    """Root of every error that Daybook raises on purpose."""


class ConfigError(DaybookError):
    """Settings are missing or malformed; `problems` names every bad variable. Correct them and start again."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class StoreUnavailable(DaybookError):
    """Redis did not answer in time. Serve what is held, marked stale, or answer 503; it heals by itself."""


class SourceUnavailable(DaybookError):
    """PostgreSQL did not answer in time. The task is retried; snapshots grow stale until it is back."""


class InvalidData(DaybookError):
    """A tenant's rows cannot be computed (NaN, infinity, a date out of range). The tenant keeps its last snapshot,
    marked stale, until the rows are mended; `reason` is safe to show to an operator."""

    def __init__(self, tenant_id: str, reason: str) -> None:
        super().__init__(f"{tenant_id}: {reason}")
        self.tenant_id = tenant_id
        self.reason = reason
