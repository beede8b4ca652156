"""The sockets' routes, and /ws/dashboard/{user_id}/: snapshots as they change, and the client's wishes. Source: SPEC 7."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from flask_sock import Sock
from simple_websocket import Server

from web.access.auth import TICKET_PARAMETER
from web.access.tokens import Caller
from web.alerts.socket import NotificationSession
from web.api.admission import Admission, Doorkeeper
from web.api.session import Session, status
from web.api.snapshot import Snapshots
from web.http import problems
from web.http.clock import now
from web.http.problems import BadRequest
from web.http.requests import query
from web.live.mailbox import Subscription, Update
from web.services import Services
from web.transport.connection import Connection
from web.transport.messages import (
    BadMessage,
    Config,
    ConfigurationUpdated,
    Configure,
    ConnectionEstablished,
    DashboardMessage,
    RequestUpdate,
)
from web.transport.websocket import SOCK_SERVER_OPTIONS, WebSocket

_VERSION = "13"


class DashboardSession(Session):
    """Sends the newest snapshot at once, at every change, and `update_interval` seconds after the last at the latest."""

    kind = DashboardMessage

    def __init__(self, socket: WebSocket, subscription: Subscription, caller: Caller, services: Services) -> None:
        super().__init__(socket, subscription, caller, services)
        self._bounds = services.settings.intervals
        self._sent = services.metrics.updates.labels("socket")
        self._interval_s = self._bounds.default_s
        self._sent_at = time.monotonic()

    def open(self) -> None:
        self.send(
            ConnectionEstablished(user_id=self.caller.tenant_id, update_interval=self._interval_s, timestamp=now())
        )
        self.deliver()

    def answer(self, message: Any) -> None:
        if isinstance(message, RequestUpdate):
            self.subscription.request()
        elif isinstance(message, Configure):
            self._configure(message.config.update_interval)

    def deliver(self) -> None:
        while (news := self.subscription.take()) is not None:
            if isinstance(news, Update):
                self.socket.send(news.frame)
                self._sent.inc()
                self._sent_at = time.monotonic()
            else:
                self.send(status(news))
        if self.due_in_s() <= 0:
            # The answer comes through the mailbox, or when Redis is back; asking again before that gains nothing.
            self._sent_at = time.monotonic()
            self.subscription.request()

    def due_in_s(self) -> float:
        return self._sent_at + self._interval_s - time.monotonic()

    def _configure(self, interval_s: int) -> None:
        if not self._bounds.min_s <= interval_s <= self._bounds.max_s:
            raise BadMessage("out_of_range", f"update_interval is from {self._bounds.min_s} to {self._bounds.max_s}")
        self._interval_s = interval_s
        self.send(ConfigurationUpdated(config=Config(update_interval=interval_s)))


def register(app: Flask, services: Services, snapshots: Snapshots) -> None:
    """The sockets' routes. What is refused is refused before the upgrade, as plain HTTP."""
    app.config["SOCK_SERVER_OPTIONS"] = SOCK_SERVER_OPTIONS
    doorkeeper = Doorkeeper(services, snapshots)
    blueprint = Blueprint("sockets", __name__)
    sock = Sock()

    @blueprint.before_request
    def admit() -> Response | None:
        query(request, (TICKET_PARAMETER,))
        if (refusal := _check_handshake()) is not None:
            return refusal
        g.admission = doorkeeper.admit("socket", user_id=(request.view_args or {}).get("user_id"))
        return None

    @blueprint.teardown_request
    def leave(_: BaseException | None) -> None:
        if "admission" in g:
            g.admission.lease.release()

    @sock.route("/ws/dashboard/<user_id>/", bp=blueprint)  # type: ignore[untyped-decorator]
    def dashboard(server: Server, user_id: str) -> None:
        admission: Admission = g.admission
        with services.hub.subscribe(user_id) as subscription:
            serve(
                server, subscription, lambda socket: DashboardSession(socket, subscription, admission.caller, services)
            )

    @sock.route("/ws/dashboard/notifications/<user_id>/", bp=blueprint)  # type: ignore[untyped-decorator]
    def notifications(server: Server, user_id: str) -> None:
        admission: Admission = g.admission
        with (
            services.hub.subscribe(user_id) as subscription,
            services.boards.open(user_id, subscription.wake) as mailbox,
        ):
            serve(
                server,
                subscription,
                lambda socket: NotificationSession(socket, subscription, admission.caller, services, mailbox=mailbox),
            )

    def serve(server: Server, subscription: Subscription, session: Callable[[WebSocket], Session]) -> None:
        connection = Connection(server.sock, subscription.wake, hurry=lambda: services.hub.draining)
        # From here on flask-sock and simple-websocket have nothing to say: `connected` would have them write.
        server.connected = False
        # What only the handshake needed would be kept as long as the socket: some 7 kB of each.
        server.ws = None
        request.environ.clear()
        try:
            session(WebSocket(connection)).run()
        finally:
            connection.release()

    app.register_blueprint(blueprint)


def _check_handshake() -> Response | None:
    """RFC 6455, 4.2.1. Without an Upgrade the request does not even come here: the route does not match."""
    if request.headers.get("Sec-WebSocket-Version") != _VERSION:
        response = problems.answer(426, "upgrade_required", "WebSocket version 13 is spoken here.")
        response.headers["Sec-WebSocket-Version"] = _VERSION
        response.headers["Upgrade"] = "websocket"
        return response
    try:
        key = base64.b64decode(request.headers.get("Sec-WebSocket-Key", ""), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 16 or request.method != "GET":
        raise BadRequest("The WebSocket handshake is malformed.", code="bad_handshake")
    # Compression would cost each socket more memory than all the rest of it.
    request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    return None
