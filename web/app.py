"""create_app: wiring only. Nothing is made at import time; gunicorn calls create_app_from_env in each worker process."""

from __future__ import annotations

import os
import time
from typing import Any

import redis
import structlog
from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider

from shared.alert_store import AlertReader
from shared.errors import ConfigError
from shared.keys import Keys
from shared.logs import configure_logging
from shared.redis_client import connect
from shared.settings import Settings
from shared.store import SnapshotReader
from web.access.auth import Auth
from web.access.limits import Limiter
from web.access.slots import Leases
from web.access.tickets import Tickets
from web.access.tokens import Tokens
from web.alerts import routes as alerts
from web.alerts.boards import Boards
from web.api import recalculation, snapshot, socket, stream, tickets
from web.api.snapshot import Snapshots
from web.apidocs import served
from web.http import cors, problems
from web.http.requests import MAX_BODY_BYTES, check_envelope
from web.live.freshness import Freshness
from web.live.hub import Hub
from web.ops import health
from web.ops.metrics import Metrics
from web.ops.worker_metrics import WorkerMetrics
from web.page import pages
from web.redis.circuit import Circuit
from web.redis.commands import Commands
from web.services import Services

log = structlog.get_logger()

# A frozen Redis costs a request this once; then the circuit answers for it.
REDIS_TIMEOUT_S = 0.6
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to
# Asked for every few seconds by machines; a line for each would drown the others.
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})


class StrictJson(DefaultJSONProvider):
    """JSON that every reader can read: no NaN, no Infinity."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return super().dumps(obj, allow_nan=False, **kwargs)


def create_app_from_env() -> Flask:
    """The app as the environment describes it; ends the process with every bad variable named."""
    try:
        settings = Settings.from_env(os.environ, role="web")
        configure_logging(settings.log_level)
        app = create_app(settings)
    except ConfigError as error:
        raise SystemExit("\n".join(["These settings are missing or malformed:", *error.problems])) from None
    services: Services = app.extensions["daybook"]
    services.hub.start()
    return app


def create_app(
    settings: Settings,
    *,
    client: redis.Redis | None = None,
    reader: SnapshotReader | None = None,
    hub: Hub | None = None,
) -> Flask:
    """The web process: routes over one set of services."""
    app = Flask(__name__, static_folder=None)
    app.json = StrictJson(app)
    app.config["TRUSTED_HOSTS"] = _trusted_hosts(settings)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    services = _services(app, settings, client=client, reader=reader, hub=hub)
    app.extensions["daybook"] = services
    problems.register(app)
    _watch_requests(app, services)
    cors.register(app, settings)
    for part in (recalculation, health, pages, tickets):
        part.register(app, services)
    found = Snapshots(services)
    for live_part in (snapshot, stream, socket, alerts):
        live_part.register(app, services, found)
    served.register(app, services)
    return app


def _services(
    app: Flask,
    settings: Settings,
    *,
    client: redis.Redis | None,
    reader: SnapshotReader | None,
    hub: Hub | None,
) -> Services:
    client = client or connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S)
    keys = Keys(settings.key_prefix)
    circuit = Circuit()
    reader = reader or SnapshotReader(client, keys)
    commands = Commands(client, keys, circuit, settings)
    freshness = Freshness(client, keys, settings)
    metrics = Metrics(WorkerMetrics(client, keys, circuit, freshness))
    tickets = Tickets(client, keys, circuit)
    hub = hub or Hub(client, reader, keys, freshness, metrics, recalculate=commands.ask, end_epoch=commands.end_epoch)
    boards = Boards(AlertReader(client, keys), circuit, recalculate=commands.ask)
    hub.follow(boards)
    return Services(
        settings=settings,
        keys=keys,
        client=client,
        circuit=circuit,
        reader=reader,
        auth=Auth(Tokens(app, settings.jwt), tickets, settings, client=client, keys=keys, circuit=circuit),
        tickets=tickets,
        limiter=Limiter(client, keys, circuit, settings),
        leases=Leases(client, keys, circuit, settings),
        commands=commands,
        freshness=freshness,
        hub=hub,
        boards=boards,
        metrics=metrics,
    )


def _trusted_hosts(settings: Settings) -> list[str] | None:
    """Which Host headers are ours; None = any, when we listen on every address and nobody named us."""
    if settings.trusted_hosts:
        return [*settings.trusted_hosts, *_LOOPBACK]
    return None if settings.host in _WILDCARDS else [settings.host, *_LOOPBACK]


def _watch_requests(app: Flask, services: Services) -> None:
    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=problems.request_id())
        check_envelope(request)
        if services.hub.draining and request.path != "/livez":
            raise problems.Unavailable("This server is stopping; another one answers.", code="draining")

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-ID"] = problems.request_id()
        response.headers["X-Content-Type-Options"] = "nosniff"
        if "allowance" in g:
            problems.limit_headers(response, g.allowance)
        rule = request.url_rule
        if rule is None or not rule.websocket:
            _record(services, rule.rule if rule else "unknown", response)
        return response


def _record(services: Services, route: str, response: Response) -> None:
    elapsed_s = time.perf_counter() - g.started
    services.metrics.request_seconds.labels(route, str(response.status_code)).observe(elapsed_s)
    if response.status_code == 429:
        services.metrics.limited.labels(route).inc()
    write = log.debug if request.path in _QUIET else log.info
    write(
        "request",
        method=request.method,
        path=request.path,
        status=response.status_code,
        ms=round(elapsed_s * 1000, 2),
    )
