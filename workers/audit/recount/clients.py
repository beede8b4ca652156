"""Counts of quotes and clients over a period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from workers.audit.recount.postings import Posting


def conversion_ratio(decided: Sequence[Posting]) -> Fraction | None:
    """Share of the decided quotes that were won, 0..1; None when none was decided."""
    return Fraction(sum(posting.won for posting in decided), len(decided)) if decided else None


def active_clients(activity: Iterable[Posting]) -> set[str]:
    """The clients behind these documents."""
    return {posting.client for posting in activity if posting.client is not None}
