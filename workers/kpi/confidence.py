"""How far a metric can be trusted: a product of four factors. Source: SPEC 4, Confidence."""

from __future__ import annotations

from decimal import Decimal

from shared.snapshot import ConfidenceFactors
from workers.kpi.money import ONE, RATIO_PLACES, ZERO, rounded
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
    fx = Decimal(looked_at.convertible) / n if n else ONE
    quality = Decimal(n - looked_at.anomalies) / n if n else ONE
    factors = ConfidenceFactors(
        sample=rounded(sample, RATIO_PLACES),
        day=rounded(day_share, RATIO_PLACES),
        fx=rounded(fx, RATIO_PLACES),
        quality=rounded(quality, RATIO_PLACES),
    )
    product = sample * day_share * fx * quality if n else ZERO
    return rounded(product, RATIO_PLACES), factors
