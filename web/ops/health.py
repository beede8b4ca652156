"""Is it well: for a tenant's eyes (health), for the orchestrator (livez, readyz), for Prometheus (metrics)."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import redis
from flask import Flask, Response, g, jsonify, request

from shared.errors import StoreUnavailable
from shared.keys import Keys
from shared.pulse import Pulse
from shared.release import release
from shared.settings import Thresholds
from web.access.auth import Auth
from web.access.limits import Limiter
from web.http.problems import Unavailable
from web.http.requests import query
from web.live.freshness import Freshness
from web.ops.metrics import CONTENT_TYPE
from web.redis.circuit import Circuit

Grade = Literal["excellent", "good", "poor", "critical"]
Status = Literal["healthy", "degraded", "unhealthy"]

_SEVERITY: tuple[Status, ...] = ("healthy", "degraded", "unhealthy")


class Component(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing the dashboard needs. response_time_ms: how long it took to answer, where that is known.

    degraded: it serves, but some tenants cannot be computed (computation_failing), or an audit found dashboards wrong and
    none has found them right since (drift).
    """

    status: Status
    response_time_ms: float | None = None
    reason: str | None = None


class Components(msgspec.Struct, frozen=True, kw_only=True):
    """database and aggregation_service are known through the workers' pulse; web connects to neither."""

    database: Component
    cache: Component
    aggregation_service: Component


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """The time that this answer took, and what to think of it."""

    response_time_ms: float
    performance_grade: Grade


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The body of GET /api/dashboard/health/."""

    status: Status
    response_time_ms: float
    components: Components
    performance: Performance


def grade(response_time_ms: float, thresholds: Thresholds) -> Grade:
    """excellent, good or poor below its threshold, else critical. Source: SPEC 8, PERFORMANCE_THRESHOLDS."""
    if response_time_ms < thresholds.excellent_ms:
        return "excellent"
    if response_time_ms < thresholds.good_ms:
        return "good"
    return "poor" if response_time_ms < thresholds.poor_ms else "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """What it takes to say whether all is well."""

    client: redis.Redis
    keys: Keys
    circuit: Circuit
    freshness: Freshness
    thresholds: Thresholds

    def examine(self) -> Health:
        """Ask Redis now, and judge the rest by the pulse that it holds."""
        started = time.perf_counter()
        try:
            with self.circuit.guard():
                found: list[Any] = self.client.mget(self.keys.pulse, self.keys.listener)
                self._try_to_write()
            self.freshness.answered(*found)
            cache = Component(status="healthy", response_time_ms=_ms_since(started))
        except StoreUnavailable:
            cache = Component(status="unhealthy", reason="redis_unavailable")
        workers, database = _workers_side(self.freshness)
        components = Components(database=database, cache=cache, aggregation_service=workers)
        parts = (components.database, components.cache, components.aggregation_service)
        elapsed_ms = _ms_since(started)
        return Health(
            status=max((part.status for part in parts), key=_SEVERITY.index),
            response_time_ms=elapsed_ms,
            components=components,
            performance=Performance(response_time_ms=elapsed_ms, performance_grade=grade(elapsed_ms, self.thresholds)),
        )

    def _try_to_write(self) -> None:
        # A server that was demoted to a replica answers reads for ever. One that is out of memory or disk refuses this
        # too, or not; it goes on serving what there is.
        with suppress(redis.ResponseError):
            self.client.delete(self.keys.write_probe)


def _workers_side(freshness: Freshness) -> tuple[Component, Component]:
    """The workers and their database, as the newest pulse shows them."""
    pulse = freshness.pulse if freshness.workers_alive else None
    if pulse is None:
        silent = Component(status="unhealthy", reason="workers_silent")
        return silent, silent
    workers = _tenants_side(pulse)
    if pulse.database_ms is None:
        return workers, Component(status="unhealthy", reason="database_unavailable")
    return workers, Component(status="healthy", response_time_ms=pulse.database_ms)


def _tenants_side(pulse: Pulse) -> Component:
    if pulse.failing:
        return Component(status="degraded", reason="computation_failing")
    return Component(status="degraded", reason="drift") if pulse.drifting else Component(status="healthy")


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)


def register(app: Flask, *, examiner: Examiner, exposition: Callable[[], bytes], auth: Auth, limiter: Limiter) -> None:
    """Health for callers with a token; the rest is open and holds no tenant data. `exposition` makes the metrics."""
    version = release()

    @app.get("/api/dashboard/health/")
    def health() -> Response:
        query(request)
        caller = auth.authenticate(request)
        g.allowance = limiter.hit("requests", caller)
        found = examiner.examine()
        response = Response(
            msgspec.json.encode(found),
            status=503 if found.status == "unhealthy" else 200,
            content_type="application/json",
        )
        if response.status_code == 503:
            response.headers["Retry-After"] = "2"
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/livez")
    def livez() -> Response:
        return jsonify(status="alive")

    @app.get("/readyz")
    def readyz() -> Response:
        found = examiner.examine()
        for component in (found.components.cache, found.components.aggregation_service):
            if component.status == "unhealthy":
                raise Unavailable(f"Not ready: {component.reason}.", code="not_ready")
        if not examiner.freshness.channel_alive:
            raise Unavailable("Not ready: channel_silent.", code="not_ready")
        return jsonify(status="ready")

    @app.get("/version")
    def show_version() -> Response:
        return jsonify(name="daybook", version=version)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(exposition(), content_type=CONTENT_TYPE)
