"""What `bin/dash check` finds, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "info"]
"""error: numbers are wrong, or cannot be computed. warning: most likely so. info: allowed, and good to know."""

LEVELS: tuple[Level, ...] = ("error", "warning", "info")
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One of the rows: whose, its id, and what stands in the column (None: null)."""

    tenant_id: str | None
    row_id: str | None
    column: str
    value: str | None

    def __str__(self) -> str:
        value = "null" if self.value is None else repr(self.value[:_LONGEST_VALUE])
        row = f", row {self.row_id}" if self.row_id is not None else ""
        return f"tenant {self.tenant_id}{row}: {self.column} is {value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One kind of mistake in one relation, in how many rows (0: it is about the relation), with one of them."""

    level: Level
    table: str
    says: str
    advice: str
    count: int = 0
    example: Example | None = None

    @property
    def counts(self) -> bool:
        """Whether something is wrong, rather than good to know."""
        return self.level != "info"

    def __str__(self) -> str:
        number = f" {self.count:,}," if self.count else ""
        example = f" such as {self.example}" if self.example else ""
        details = f":{number}{example}".rstrip(",") if number or example else ""
        return f"{self.table}: {self.says}{details}"


def in_order(findings: list[Finding]) -> list[Finding]:
    """The worst first, then by table."""
    return sorted(findings, key=lambda found: (LEVELS.index(found.level), found.table, -found.count, found.says))
