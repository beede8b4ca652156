"""What the web process counts about itself, for /metrics: names dashboard_*, never a tenant in a label.

What the workers count is in web/ops/worker_metrics.py.
"""

from __future__ import annotations

import os
import struct
import time

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from shared.counters import STAGE_BOUNDS

# web/gunicorn_config.py sets it when several processes serve one port.
MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = CONTENT_TYPE_LATEST

TRIES = 20
AGAIN_IN_S = 0.02
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The metrics of one app, in a registry of its own. `others` are asked at each exposition, by the process asked."""

    def __init__(self, *others: Collector) -> None:
        self.registry = CollectorRegistry()
        self._others = CollectorRegistry()
        for other in others:
            self._others.register(other)
        self.request_seconds = Histogram(
            "dashboard_request_seconds",
            "Time to answer an HTTP request, by route and status; streams until their first byte",
            ["route", "status"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.snapshot_reads = Counter(
            "dashboard_snapshot_reads_total",
            "Snapshots over REST, by where they came from: store, memory (Redis away), repeated, confirmed, not_modified,"
            " missing",
            ["source"],
            registry=self.registry,
        )
        self.replica_reads = Counter(
            "dashboard_replica_reads_total",
            "Questions for the newest, by what was asked for (snapshot, board) and whether what was held was it: held, read",
            ["kind", "found"],
            registry=self.registry,
        )
        self.limited = Counter(
            "dashboard_limited_total",
            "Requests refused by a limit, by its code",
            ["limit"],
            registry=self.registry,
        )
        self.connections = Gauge(
            "dashboard_connections",
            "Open sockets and streams",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.updates = Counter(
            "dashboard_updates_total",
            "Snapshots handed to clients, by transport: socket, stream",
            ["transport"],
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "dashboard_web_stage_seconds",
            "Time that snapshots spent in each stage from Redis to the client: notify, fetch, and for each client send",
            ["stage"],
            buckets=STAGE_BOUNDS,
            registry=self.registry,
        )
        self.socket_closes = Counter(
            "dashboard_socket_closes_total",
            "Sockets that the server closed, by close code",
            ["code"],
            registry=self.registry,
        )
        self.resyncs = Counter(
            "dashboard_channel_resyncs_total",
            "Subscriptions to the notices channel, each followed by a reading of all that is watched",
            registry=self.registry,
        )
        self.notices = Counter(
            "dashboard_notices_total",
            "Notices of tenants with clients here",
            registry=self.registry,
        )
        self.redis_up = Gauge(
            "dashboard_redis_up",
            "1 when Redis answered its last use by a web process, else 0",
            registry=self.registry,
            multiprocess_mode="livemin",
        )

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format; over all processes of this port when there are several."""
        registry = self.registry
        if MULTIPROCESS_DIR in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return _patiently(registry) + generate_latest(self._others)


def _patiently(registry: CollectorRegistry) -> bytes:
    """A process that begins has just made the file that it counts into, and for a moment nothing can be read from it."""
    for _ in range(TRIES):
        try:
            return generate_latest(registry)
        except struct.error:
            time.sleep(AGAIN_IN_S)
    return generate_latest(registry)
