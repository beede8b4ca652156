"""`bin/dash doctor`: looks at everything that Daybook needs and says what to do about what is missing."""

from __future__ import annotations

from cli.doctor.check import Check
from cli.doctor.examine import examine

__all__ = ["Check", "examine"]
