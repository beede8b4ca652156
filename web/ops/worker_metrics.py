"""What the workers' side left in Redis, and how fresh this process finds it, as metrics: read when somebody scrapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import redis
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.counters import COUNTERS, HISTOGRAMS, QUEUES, Counted
from shared.errors import StoreUnavailable
from shared.keys import Keys
from web.live.freshness import Freshness, Reason
from web.redis.circuit import Circuit


class WorkerMetrics(Collector):
    """A collector: while Redis is away only what this process knows by itself is told."""

    def __init__(self, client: redis.Redis, keys: Keys, circuit: Circuit, freshness: Freshness) -> None:
        self._client = client
        self._keys = keys
        self._circuit = circuit
        self._freshness = freshness

    def describe(self) -> list[Metric]:
        """Nothing: it is asked before Redis may be."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric of the workers' side."""
        yield from self._own()
        try:
            with self._circuit.guard():
                counted, lengths, taken = self._read()
        except StoreUnavailable:
            return
        yield from _counters(counted)
        yield from _histograms(counted)
        queues = GaugeMetricFamily("dashboard_queue_length", "Tasks that wait, by queue", labels=["queue"])
        for queue, length in zip(QUEUES, lengths, strict=True):
            queues.add_metric([queue], length)
        yield queues
        yield _gauge("dashboard_tasks_taken", "Tasks that workers have taken and not finished", taken)

    def _read(self) -> tuple[Counted, list[int], int]:
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hgetall(self._keys.metrics)
            for queue in QUEUES:
                pipe.llen(self._keys.queue(queue))
            pipe.hlen(self._keys.queue("unacked"))
            fields, *lengths, taken = pipe.execute()
        return Counted(fields), lengths, taken

    def _own(self) -> Iterator[Metric]:
        known, pulse = self._freshness, self._freshness.pulse
        stale = GaugeMetricFamily(
            "dashboard_stale",
            "1 for what makes every tenant's data stale now, as this process sees it",
            labels=["reason"],
        )
        for reason in get_args(Reason):
            stale.add_metric([reason], float(known.overall.reason == reason))
        yield stale
        yield _gauge(
            "dashboard_channel_silent_seconds", "Since anything came on the notices channel", known.channel_silent_s
        )
        yield _gauge("dashboard_pulse_age_seconds", "Since the workers' pulse last moved", known.pulse_age_s)
        if known.listener_age_s is not None:
            yield _gauge("dashboard_listener_age_seconds", "Since a change listener last passed", known.listener_age_s)
        if pulse is None:
            return
        yield _gauge(
            "dashboard_database_up", "1 when PostgreSQL answered the newest pulse", pulse.database_ms is not None
        )
        if pulse.database_ms is not None:
            yield _gauge(
                "dashboard_database_seconds", "Time that PostgreSQL took to answer it", pulse.database_ms / 1000
            )
        yield _gauge("dashboard_change_age_seconds", "How long the oldest row change waits", pulse.change_age_s)
        yield _gauge("dashboard_tenants_failing", "Tenants whose newest computation failed", pulse.failing)
        yield _gauge(
            "dashboard_tenants_drifting", "Tenants that an audit found wrong and none right since", pulse.drifting
        )


def _counters(counted: Counted) -> Iterator[Metric]:
    for counter in COUNTERS:
        family = CounterMetricFamily(counter.name, counter.text, labels=[counter.label])
        for value, count in counted.by_value(counter).items():
            family.add_metric([value], count)
        yield family


def _histograms(counted: Counted) -> Iterator[Metric]:
    for histogram in HISTOGRAMS:
        family = HistogramMetricFamily(
            histogram.name, histogram.text, labels=[histogram.label] if histogram.label else []
        )
        for value in histogram.values or (None,):
            observed = counted.observed(histogram, value)
            family.add_metric([value] if value else [], list(observed.buckets), observed.sum)
        yield family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))
