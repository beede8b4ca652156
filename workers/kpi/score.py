"""The performance score 0..100: six components, each linear between its anchors and clamped.

Source: SPEC 4, Performance score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import msgspec

from shared.snapshot import CollectionsValue, Score, ScoreComponent
from workers.kpi.money import PERCENT_PLACES, RATIO_PLACES, ZERO, quotient_or_none, rounded, rounded_or_none

Name = Literal["profitability", "growth", "cash", "collections", "pipeline", "clients"]

POINTS_PLACES = 2
FULL_POINTS = Decimal(100)
LEAST_COVERAGE = Decimal("0.5")

WEIGHTS: dict[Name, Decimal] = {
    "profitability": Decimal("0.25"),
    "growth": Decimal("0.15"),
    "cash": Decimal("0.20"),
    "collections": Decimal("0.25"),
    "pipeline": Decimal("0.10"),
    "clients": Decimal("0.05"),
}
OVERDUE_WEIGHT, LATENESS_WEIGHT = Decimal("0.6"), Decimal("0.4")


@dataclass(frozen=True, slots=True)
class Anchors:
    """Where a raw value is worth 0 points, and where 100."""

    zero_at: Decimal
    full_at: Decimal

    def points(self, value: Decimal) -> Decimal:
        """0..100, not rounded."""
        share = (value - self.zero_at) / (self.full_at - self.zero_at)
        return min(max(share * FULL_POINTS, ZERO), FULL_POINTS)


PROFITABILITY = Anchors(Decimal("-0.20"), Decimal("0.30"))
GROWTH = Anchors(Decimal("-0.30"), Decimal("0.20"))
CASH = Anchors(Decimal("-0.5"), Decimal("0.3"))
OVERDUE_SHARE = Anchors(Decimal("0.50"), Decimal(0))
DAYS_OVER_TERMS = Anchors(Decimal(45), Decimal(0))
PIPELINE = Anchors(Decimal(0), Decimal("0.60"))
CLIENTS = Anchors(Decimal("0.2"), Decimal("0.8"))


class ScoreInput(msgspec.Struct, frozen=True):
    """A raw value and what it says in words; None = no data, and then the words say why."""

    value: Decimal | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreInputs:
    """What the score is made of: ratios, and days for `days_over_terms`."""

    profitability: ScoreInput
    growth: ScoreInput
    cash: ScoreInput
    overdue_share: ScoreInput
    days_over_terms: ScoreInput
    pipeline: ScoreInput
    clients: ScoreInput


_Part = tuple[ScoreComponent, Decimal | None]
"""A component, and its points before they are rounded."""


def performance_score(score_inputs: ScoreInputs) -> Score:
    """The score, its coverage (weight that has data) and all six components.

    Components without data drop out and the others' weights are renormalised; below a coverage of 0.5 the value is None.
    """
    parts = (
        _part("profitability", score_inputs.profitability, PROFITABILITY),
        _part("growth", score_inputs.growth, GROWTH),
        _part("cash", score_inputs.cash, CASH),
        _collections(score_inputs.overdue_share, score_inputs.days_over_terms),
        _part("pipeline", score_inputs.pipeline, PIPELINE),
        _part("clients", score_inputs.clients, CLIENTS),
    )
    mean, coverage = _weighted_mean([(component.weight, points) for component, points in parts])
    return Score(
        value=rounded_or_none(mean if coverage >= LEAST_COVERAGE else None, POINTS_PLACES),
        coverage=rounded(coverage, POINTS_PLACES),
        components=tuple([component for component, _ in parts]),
    )


def _part(name: Name, reading: ScoreInput, anchors: Anchors) -> _Part:
    points = None if reading.value is None else anchors.points(reading.value)
    component = ScoreComponent(
        name=name,
        weight=WEIGHTS[name],
        value=quotient_or_none(reading.value, RATIO_PLACES),
        points=quotient_or_none(points, POINTS_PLACES),
        reason=reading.words,
    )
    return component, points


def _collections(overdue: ScoreInput, lateness: ScoreInput) -> _Part:
    points, _ = _weighted_mean(
        [
            (OVERDUE_WEIGHT, None if overdue.value is None else OVERDUE_SHARE.points(overdue.value)),
            (LATENESS_WEIGHT, None if lateness.value is None else DAYS_OVER_TERMS.points(lateness.value)),
        ]
    )
    value = CollectionsValue(
        overdue_share=quotient_or_none(overdue.value, RATIO_PLACES),
        days_over_terms=rounded_or_none(lateness.value, PERCENT_PLACES),
    )
    component = ScoreComponent(
        name="collections",
        weight=WEIGHTS["collections"],
        value=value,
        points=rounded_or_none(points, POINTS_PLACES),
        reason=f"{overdue.words} {lateness.words}",
    )
    return component, points


def _weighted_mean(weighted: Sequence[tuple[Decimal, Decimal | None]]) -> tuple[Decimal | None, Decimal]:
    """The mean of what is there, and the weight that it has together; None when nothing is there."""
    known = [(weight, points) for weight, points in weighted if points is not None]
    coverage = sum([weight for weight, _ in known], ZERO)
    if not known:
        return None, coverage
    return sum([weight * points for weight, points in known], ZERO) / coverage, coverage
