"""The sockets' routes: what is refused is refused before the upgrade, as plain HTTP. And /ws/dashboard/{user_id}/. SPEC 7."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from flask_sock import Sock
from prometheus_client import Counter
from simple_websocket import Server

from shared.settings import Intervals, Settings
from web.access.auth import TICKET_PARAMETER, Auth
from web.api.admission import Admission, Doorkeeper
from web.api.bucket import TokenBucket
from web.api.session import Session, SessionParts, status
from web.http import problems
from web.http.clock import now
from web.http.problems import BadRequest
from web.http.requests import query
from web.live.hub import Hub
from web.live.lifetime import Lifetime
from web.live.mailbox import Mailbox, Update
from web.live.revocations import Revocations
from web.live.snapshots import Snapshots
from web.live.stages import Sent
from web.transport.compression import Compression, agree
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
_EXTENSIONS = "HTTP_SEC_WEBSOCKET_EXTENSIONS"

Talk = Callable[[SessionParts], None]
"""Serves one socket from its opening to its end."""


class Sockets:
    """Adds routes of sockets; `register` comes after the last one."""

    def __init__(
        self,
        *,
        doorkeeper: Doorkeeper,
        hub: Hub,
        snapshots: Snapshots,
        auth: Auth,
        revocations: Revocations,
        settings: Settings,
        closes: Counter,
    ) -> None:
        """`closes` counts by close code."""
        self._doorkeeper = doorkeeper
        self._hub = hub
        self._snapshots = snapshots
        self._auth = auth
        self._revocations = revocations
        self._settings = settings
        self._closes = closes
        self._sock = Sock()
        self._blueprint = Blueprint("sockets", __name__)
        self._blueprint.before_request(self._admit)
        self._blueprint.teardown_request(_leave)

    def add(self, name: str, rule: str, talk: Talk) -> None:
        """A route under /ws/ whose `user_id` is the tenant."""

        def serve(server: Server, user_id: str) -> None:
            admission: Admission = g.admission
            with self._snapshots.open(user_id, admission.caller.view) as mailbox:
                self._serve(server, mailbox, admission, talk)

        serve.__name__ = name
        self._sock.route(rule, bp=self._blueprint)(serve)

    def register(self, app: Flask) -> None:
        """Let the app have the routes."""
        app.config["SOCK_SERVER_OPTIONS"] = SOCK_SERVER_OPTIONS
        app.register_blueprint(self._blueprint)

    def _admit(self) -> Response | None:
        query(request, (TICKET_PARAMETER,))
        if (refusal := _check_handshake()) is not None:
            return refusal
        g.admission = self._doorkeeper.admit("socket", user_id=(request.view_args or {}).get("user_id"))
        g.compression = _agree()
        return None

    def _serve(self, server: Server, mailbox: Mailbox, admission: Admission, talk: Talk) -> None:
        connection = Connection(server.sock, mailbox.wake, hurry=self._hub.is_draining)
        # From here on flask-sock and simple-websocket have nothing to say: `connected` would have them write.
        server.connected = False
        # What only the handshake needed would be kept as long as the socket: some 7 kB of each.
        server.ws = None
        request.environ.clear()
        lifetime = Lifetime(
            admission.caller,
            is_draining=self._hub.is_draining,
            is_gone=lambda: mailbox.is_tenant_gone,
        )
        parts = SessionParts(
            socket=WebSocket(connection, g.compression),
            mailbox=mailbox,
            lifetime=lifetime,
            bucket=TokenBucket(self._settings.rate_messages, self._settings.message_burst),
            verify=self._auth.verify,
            closes=self._closes,
        )
        try:
            with self._revocations.watched(lifetime, mailbox.wake):
                talk(parts)
        finally:
            connection.release()


class DashboardSession(Session):
    """Sends the newest snapshot at once, at every change, and `update_interval` seconds after the last at the latest."""

    kind = DashboardMessage

    def __init__(self, parts: SessionParts, *, bounds: Intervals, sent: Sent) -> None:
        super().__init__(parts)
        self._bounds = bounds
        self._sent = sent
        self._interval_s = bounds.default_s
        self._sent_at = time.monotonic()

    def open(self) -> None:
        self.send(
            ConnectionEstablished(user_id=self.caller.tenant_id, update_interval=self._interval_s, timestamp=now())
        )
        self.deliver()

    def answer(self, message: Any) -> None:
        if isinstance(message, RequestUpdate):
            self.mailbox.request()
        elif isinstance(message, Configure):
            self._configure(message.config.update_interval)

    def deliver(self) -> None:
        while (news := self.mailbox.take()) is not None:
            if isinstance(news, Update):
                news_at = self.mailbox.news_at
                self.socket.share(news.message)
                self._sent(news_at)
                self._sent_at = time.monotonic()
            else:
                self.send(status(news))
        if self.due_in_s() <= 0:
            # The answer comes through the mailbox, or when Redis is back; asking again before that gains nothing.
            self._sent_at = time.monotonic()
            self.mailbox.request()

    def due_in_s(self) -> float:
        return self._sent_at + self._interval_s - time.monotonic()

    def _configure(self, interval_s: int) -> None:
        if not self._bounds.min_s <= interval_s <= self._bounds.max_s:
            raise BadMessage("out_of_range", f"update_interval is from {self._bounds.min_s} to {self._bounds.max_s}")
        self._interval_s = interval_s
        self.send(ConfigurationUpdated(config=Config(update_interval=interval_s)))


def register(sockets: Sockets, *, intervals: Intervals, sent: Sent) -> None:
    """The dashboard's socket. `sent` is told of each snapshot."""
    sockets.add(
        "dashboard",
        "/ws/dashboard/<user_id>/",
        lambda parts: DashboardSession(parts, bounds=intervals, sent=sent).run(),
    )


def _leave(_: BaseException | None) -> None:
    if "admission" in g:
        g.admission.slot.release()


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
    return None


def _agree() -> Compression | None:
    """What is agreed on with this client; the handshake answers it."""
    agreed = agree(request.environ.pop(_EXTENSIONS, None))
    if agreed is not None:
        # simple-websocket would agree to any offer. To this one it answers with the same words.
        request.environ[_EXTENSIONS] = agreed.value
    return agreed
