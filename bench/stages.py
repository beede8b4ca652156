"""Where the time went meanwhile: the stages of changes as /metrics has them, before and after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import requests
from prometheus_client.parser import text_string_to_metric_families

from shared.counters import STAGES
from web.live.stages import WEB_STAGES

_METRICS = ("dashboard_stage_seconds", "dashboard_web_stage_seconds")
_ORDER = (*STAGES, *WEB_STAGES)

Buckets = Mapping[str, Mapping[float, float]]
"""By stage: how many took at most so many seconds."""


def read(url: str) -> Buckets:
    """As they stand now, in the order in which a change goes through them."""
    found: defaultdict[str, dict[float, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(requests.get(f"{url}/metrics", timeout=10).text):
        for sample in family.samples:
            if family.name in _METRICS and sample.name.endswith("_bucket"):
                found[sample.labels["stage"]][float(sample.labels["le"])] = sample.value
    return dict(sorted(found.items(), key=lambda stage: _ORDER.index(stage[0])))


def between(before: Buckets, after: Buckets) -> Iterator[str]:
    """A line for each stage: its p50 and p99, as histogram_quantile() has them."""
    for stage, buckets in after.items():
        counts = {bound: count - before.get(stage, {}).get(bound, 0.0) for bound, count in buckets.items()}
        if total := max(counts.values()):
            p50, p99 = (1000 * _quantile(counts, share * total) for share in (0.5, 0.99))
            yield f"  {stage:8} p50 {p50:6.1f} ms, p99 {p99:6.1f} ms ({total:.0f})"


def _quantile(counts: Mapping[float, float], wanted: float) -> float:
    """The size that so many do not exceed, if sizes are spread evenly within a bucket."""
    low, below = 0.0, 0.0
    for bound, count in sorted(counts.items()):
        if count >= wanted:
            return low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low
