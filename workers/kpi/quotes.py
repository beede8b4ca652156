"""Quotes: how many of the decided ones were won, and what is still open. Source: SPEC 4, Quote Conversion."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.snapshot import CONVERSION, Metric
from workers.facts import TenantFacts
from workers.kpi.metrics import ratio_metric
from workers.kpi.totals import Total


class Quotes(msgspec.Struct, frozen=True, kw_only=True):
    """Quotes of the trailing 90 days (won, lost, decided), of the 90 before (conversion only), and open ones."""

    won: int
    lost: int
    conversion: Decimal | None
    previous_conversion: Decimal | None
    decided: Total
    open: Total

    @property
    def decided_count(self) -> int:
        return self.won + self.lost


def quotes(facts: TenantFacts) -> Quotes:
    """The quotes counted, each outcome in its window. Raises ValueError for an amount that is no number."""
    counts = {(current, outcome): 0 for current in (True, False) for outcome in ("won", "lost")}
    decided, still_open = Total(), Total()
    for group in facts.quotes:
        if group.outcome != "open":
            counts[group.window != "previous", group.outcome] += group.documents
    still_open.add_all((g.no_rate, g.amount, g.documents, 0) for g in facts.quotes if g.outcome == "open")
    decided.add_all(
        (g.no_rate, g.amount, g.documents, g.anomalies)
        for g in facts.quotes
        if g.outcome != "open" and g.window != "previous"
    )
    return Quotes(
        won=counts[True, "won"],
        lost=counts[True, "lost"],
        conversion=conversion_ratio(counts[True, "won"], counts[True, "lost"]),
        previous_conversion=conversion_ratio(counts[False, "won"], counts[False, "lost"]),
        decided=decided,
        open=still_open,
    )


def conversion_ratio(won: int, lost: int) -> Decimal | None:
    """Share of decided quotes that were accepted or converted, 0..1; None when nothing was decided."""
    return Decimal(won) / (won + lost) if won + lost else None


def conversion_metric(facts: TenantFacts, now: Quotes) -> Metric:
    """Quote Conversion: the trailing 90 days against the 90 days before."""
    return ratio_metric(facts, CONVERSION, now.conversion, now.previous_conversion, looked_at=now.decided)
