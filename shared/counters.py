"""What the workers count, in one Redis hash that web serves as /metrics: names dashboard_*, never a tenant in a label.

A worker's child may die or be replaced at any time, and nobody could scrape it; what it counted stays in Redis. When Redis
loses its data the counters begin anew at zero, as after the restart of any process.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import redis
from redis.client import Pipeline

from shared.alerts import LEVELS, RULES
from shared.keys import Keys
from shared.outcomes import Status

_SUM = "sum"
_OVER = "+Inf"
# One command with all fields: as many commands as fields cost the worker three times as much.
_ADD = "for i = 1, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[1], ARGV[i], ARGV[i + 1]) end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Numbers that only rise, one for each value of `label`. `name` without the final _total."""

    name: str
    text: str
    label: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Observations by size; `bounds` are the upper ends of its buckets, ascending. One for each value of `label`, if there
    is one."""

    name: str
    text: str
    bounds: tuple[float, ...]
    label: str | None = None
    values: tuple[str, ...] = ()


QUEUES = ("commands", "changes", "sweep")
COMPUTED = Counter(
    name="dashboard_tenants_computed",
    text="Tenants that were recalculated, by verdict",
    label="verdict",
    values=get_args(Status),
)
TASKS = Counter(
    name="dashboard_recalculations",
    text="Recalculation tasks that ended, by queue",
    label="queue",
    values=QUEUES,
)
RETRIED = Counter(
    name="dashboard_recalculations_retried",
    text="Recalculation tasks put off, by what was away",
    label="away",
    values=("database", "redis"),
)
SECONDS = Histogram(
    name="dashboard_recalculation_seconds",
    text="Time that a recalculation task took, all its tenants together",
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0),
)
TENANTS = Histogram(
    name="dashboard_recalculation_tenants",
    text="Tenants that a recalculation task was asked for",
    bounds=(1, 2, 5, 10, 20, 50, 100, 1000),
)
# In the order in which a change goes through them; web/ops/metrics.py has those that follow.
STAGES = ("listen", "queue", "start", "read", "compute", "write", "settle")
STAGE_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
STAGE_SECONDS = Histogram(
    name="dashboard_stage_seconds",
    text="Time that row changes spent in each stage from the database to Redis, a changed tenant each",
    bounds=STAGE_BOUNDS,
    label="stage",
    values=STAGES,
)
AUDITED = Counter(
    name="dashboard_audited_tenants",
    text="Tenants that the audit looked at, by verdict",
    label="verdict",
    values=("clean", "drift", "skipped"),
)
ALERTS_BY_RULE = Counter(
    name="dashboard_alerts_raised",
    text="Alerts raised, by rule",
    label="rule",
    values=RULES,
)
ALERTS_BY_LEVEL = Counter(
    name="dashboard_alerts_raised_by_level",
    text="The same alerts, by the level at which they were raised",
    label="level",
    values=LEVELS,
)
_ALERT_BOUNDS = (60, 300, 900, 3600, 14_400, 43_200, 86_400)
ACKNOWLEDGED = Histogram(
    name="dashboard_alert_acknowledged_seconds",
    text="Time from an alert's raising until somebody acknowledged it",
    bounds=_ALERT_BOUNDS,
)
RESOLVED = Histogram(
    name="dashboard_alert_resolved_seconds",
    text="Time from an alert's raising until its rule was false; at midnight every alert ends",
    bounds=_ALERT_BOUNDS,
)
COUNTERS = (COMPUTED, TASKS, RETRIED, AUDITED, ALERTS_BY_RULE, ALERTS_BY_LEVEL)
HISTOGRAMS = (SECONDS, TENANTS, STAGE_SECONDS, ACKNOWLEDGED, RESOLVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A histogram as it stands: how many observations at or below each bound (cumulative), +Inf last, and their sum."""

    buckets: tuple[tuple[str, float], ...]
    sum: float


class Tally:
    """Counts to be added to the hash in one go."""

    def __init__(self) -> None:
        self._added: dict[str, float] = defaultdict(float)

    def count(self, counter: Counter, value: str, by: int = 1) -> None:
        """Raise the counter of this value of its label."""
        self._added[_field(counter.name, value)] += by

    def observe(self, histogram: Histogram, value: float, *, label: str | None = None, times: int = 1) -> None:
        """Add one observation, or several of the same size, to the histogram of this value of its label."""
        bound = next((format(bound, "g") for bound in histogram.bounds if value <= bound), _OVER)
        self._added[_field(histogram.name, label, bound)] += times
        self._added[_field(histogram.name, label, _SUM)] += value * times

    def add_to(self, client: redis.Redis, keys: Keys) -> None:
        """Add all counts; raises redis.RedisError when Redis is away: then some may have been added."""
        with client.pipeline(transaction=False) as pipe:
            self.queue(pipe, keys)
            pipe.execute()

    def queue(self, pipe: Pipeline, keys: Keys) -> None:
        """The same with whatever else the pipeline carries."""
        if self._added:
            pipe.eval(_ADD, 1, keys.metrics, *(part for added in self._added.items() for part in added))


class Counted:
    """The hash as it was read: bytes by bytes, however the client's types call them."""

    def __init__(self, fields: Mapping[Any, Any]) -> None:
        self._values = {name.decode(): float(value) for name, value in fields.items()}

    def by_value(self, counter: Counter) -> dict[str, float]:
        """The counter by the values of its label. Zeros are included: Prometheus sees a first count only as a rise from 0."""
        return {value: self._values.get(_field(counter.name, value), 0.0) for value in counter.values}

    def observed(self, histogram: Histogram, label: str | None = None) -> Observed:
        """The histogram of this value of its label, cumulated as Prometheus wants it."""
        total, buckets = 0.0, []
        for bound in (*(format(bound, "g") for bound in histogram.bounds), _OVER):
            total += self._values.get(_field(histogram.name, label, bound), 0.0)
            buckets.append((bound, total))
        return Observed(buckets=tuple(buckets), sum=self._values.get(_field(histogram.name, label, _SUM), 0.0))


def _field(*parts: str | None) -> str:
    return "|".join(part for part in parts if part is not None)
