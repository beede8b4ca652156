"""One finding of `bin/dash doctor`, and the one that several make: whether a clock agrees with ours."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]

LARGEST_SKEW_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding; `advice` says what to do and is empty when all is well."""

    name: str
    status: Status
    detail: str
    advice: str = ""


def clock(name: str, their_time_s: float) -> Check:
    """How far the clock of a server is from ours; `their_time_s` is in seconds since 1970."""
    skew_s = abs(time.time() - their_time_s)
    same = skew_s <= LARGEST_SKEW_S
    return Check(
        name=name,
        status="ok" if same else "warn",
        detail=f"{skew_s:.1f} s from ours",
        advice="" if same else "set both clocks by NTP: ages and days are told wrong",
    )
