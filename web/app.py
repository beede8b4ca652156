"""create_app: wiring only. Nothing is made at import time; gunicorn calls create_app_from_env in each worker process."""

from __future__ import annotations

import os
import time

import structlog
from flask import Flask, Response, g, request

from shared.errors import ConfigError
from shared.logs import configure_logging
from shared.receipts import ReceiptStore
from shared.running import Announcer
from shared.settings import Settings
from shared.undisturbed import forget_foreign
from web.alerts import routes as alerts
from web.alerts import socket as notifications
from web.api import recalculation, receipts, snapshot, socket, stream, tickets
from web.api.admission import Doorkeeper
from web.api.grounds import Confirmation
from web.api.recalculation import Answers, Recalculations
from web.api.receipts import Receipts
from web.api.repeats import Repeats
from web.api.snapshot import SnapshotFinder
from web.api.socket import Sockets
from web.apidocs import routes as apidocs
from web.http import cors, problems
from web.http.base_path import BelowBasePath
from web.http.hosts import PROBES, TrustedHosts
from web.http.requests import MAX_BODY_BYTES, check_envelope
from web.http.strict_json import StrictJson
from web.ops import health
from web.ops.health import Examiner
from web.page import pages
from web.services import Services, make_services

log = structlog.get_logger()


def create_app_from_env() -> Flask:
    """The app as the environment describes it; ends the process with every bad variable named."""
    forget_foreign()
    try:
        settings = Settings.from_env(os.environ, role="web")
        configure_logging(settings.log_level)
        app = create_app(settings)
    except ConfigError as error:
        raise SystemExit("\n".join(["These settings are missing or malformed:", *error.problems])) from None
    services: Services = app.extensions["daybook"]
    services.hub.start()
    Announcer(services.client, services.keys, "web", "web", os.environ).start()
    return app


def create_app(settings: Settings) -> Flask:
    """The web process: routes over one set of services."""
    app = Flask(__name__, static_folder=None)
    app.json = StrictJson(app)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    services = make_services(app, settings)
    app.extensions["daybook"] = services
    problems.register(app)
    _watch_requests(app, services)
    cors.register(app, settings)
    _register_operations(app, services)
    _register_dashboard(app, services)
    pages.register(app, settings=settings, auth=services.auth)
    # The last one: the OpenAPI document holds every route.
    apidocs.register(app, settings=settings)
    app.wsgi_app = Repeats(  # type: ignore[method-assign]
        app.wsgi_app,
        services.leases,
        services.limiter,
        Confirmation(
            services.client,
            services.circuit,
            auth=services.auth,
            snapshots=services.snapshots,
            limiter=services.limiter,
        ),
        known_for_s=services.auth.believed_for_s,
        is_draining=services.hub.is_draining,
        seconds=services.metrics.request_seconds,
        reads=services.metrics.snapshot_reads,
    )
    if settings.base_path:
        app.wsgi_app = BelowBasePath(app.wsgi_app, settings.base_path)  # type: ignore[method-assign]
    return app


def _register_operations(app: Flask, services: Services) -> None:
    metrics = services.metrics

    def exposition() -> bytes:
        metrics.connections.set(len(services.slots))
        metrics.redis_up.set(0 if services.circuit.is_open else 1)
        return metrics.exposition()

    examiner = Examiner(
        client=services.client,
        keys=services.keys,
        circuit=services.circuit,
        freshness=services.freshness,
        thresholds=services.settings.thresholds,
    )
    health.register(app, examiner=examiner, exposition=exposition, auth=services.auth, limiter=services.limiter)


def _register_dashboard(app: Flask, services: Services) -> None:
    auth, limiter, metrics, commands = services.auth, services.limiter, services.metrics, services.commands
    hub, snapshots, boards, intervals = services.hub, services.snapshots, services.boards, services.settings.intervals
    answers = Answers(services.client, services.keys, services.circuit)
    finder = SnapshotFinder(snapshots, commands, metrics.snapshot_reads)
    doorkeeper = Doorkeeper(
        hub=hub, auth=auth, limiter=limiter, slots=services.slots, snapshots=snapshots, finder=finder
    )
    recalculation.register(
        app, recalculations=Recalculations(commands, answers, services.leases.drop), auth=auth, limiter=limiter
    )
    tickets.register(app, tickets=services.tickets, auth=auth, limiter=limiter)
    snapshot.register(app, finder=finder, auth=auth, limiter=limiter, reads=metrics.snapshot_reads)
    receipts.register(
        app,
        receipts=Receipts(finder, ReceiptStore(services.client, services.keys), commands, services.circuit),
        auth=auth,
        limiter=limiter,
    )
    alerts.register(app, boards=boards, finder=finder, commands=commands, auth=auth, limiter=limiter)
    stream.register(
        app,
        doorkeeper=doorkeeper,
        hub=hub,
        snapshots=snapshots,
        revocations=services.revocations,
        intervals=intervals,
        sent=services.stages.counting(metrics.updates.labels("stream")),
    )
    sockets = Sockets(
        doorkeeper=doorkeeper,
        hub=hub,
        snapshots=snapshots,
        auth=auth,
        revocations=services.revocations,
        settings=services.settings,
        closes=metrics.socket_closes,
    )
    sent = services.stages.counting(metrics.updates.labels("socket"))
    socket.register(sockets, intervals=intervals, sent=sent)
    notifications.register(sockets, boards=boards, commands=commands)
    sockets.register(app)


def _watch_requests(app: Flask, services: Services) -> None:
    hosts = TrustedHosts(services.settings)

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=problems.request_id())
        check_envelope(request)
        hosts.check(request)
        if services.hub.draining and request.path != "/livez":
            raise problems.Unavailable("This server is stopping; another one answers.", code="draining")

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-ID"] = problems.request_id()
        response.headers["X-Content-Type-Options"] = "nosniff"
        if "allowance" in g:
            response.headers.update(problems.rate_headers(g.allowance))
        rule = request.url_rule
        if rule is None or not rule.websocket:
            _record(services, rule.rule if rule else "unknown", response)
        return response


def _record(services: Services, route: str, response: Response) -> None:
    elapsed_s = time.perf_counter() - g.started
    services.metrics.request_seconds.labels(route, str(response.status_code)).observe(elapsed_s)
    if response.status_code == 429:
        services.metrics.limited.labels(route).inc()
    # Probes come every few seconds; a line for each would drown the others.
    write = log.debug if request.path in PROBES else log.info
    write(
        "request",
        method=request.method,
        path=request.path,
        status=response.status_code,
        ms=round(elapsed_s * 1000, 2),
    )
