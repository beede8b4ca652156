"""How far a metric can be trusted: a product of four factors. Source: SPEC 4, Confidence."""

from __future__ import annotations

from decimal import Decimal

from shared.snapshot import ConfidenceFactors
from workers.kpi.money import ONE, RATIO_PLACES, quotient, rounded
from workers.kpi.totals import Total

# So many documents make the sample factor one half.
HALF_TRUSTED_DOCUMENTS = 10


def confidence(looked_at: Total, day_share: Decimal = ONE) -> tuple[Decimal, ConfidenceFactors]:
    """Confidence 0..1 and its factors, four decimals each; the product is of the unrounded factors.

    looked_at: the documents behind the metric. day_share: what has passed of the local day (flows only).
    Without documents there is nothing to doubt and nothing to trust: fx and quality are 1, sample and confidence 0.
    """
    n = looked_at.documents
    sample = Decimal(n) / (n + HALF_TRUSTED_DOCUMENTS)
    fx, quality = _share(looked_at.convertible, n), _share(n - looked_at.anomalies, n)
    factors = ConfidenceFactors(
        sample=quotient(sample, RATIO_PLACES),
        day=quotient(day_share, RATIO_PLACES),
        fx=quotient(fx, RATIO_PLACES),
        quality=quotient(quality, RATIO_PLACES),
    )
    return rounded(sample * day_share * fx * quality, RATIO_PLACES), factors


def _share(documents: int, n: int) -> Decimal:
    return ONE if documents == n else Decimal(documents) / n
