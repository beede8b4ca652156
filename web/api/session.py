"""One socket's life, whatever it talks about: what comes in is checked, what waits goes out, and every end has its code.

One greenlet serves one socket: it sleeps until the client sent something, the mailbox holds something, or a time has come.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import msgspec
import structlog
from limits import parse as parse_rate

from web.access.tokens import Caller
from web.http.clock import from_epoch_s, now
from web.http.problems import TokenExpired, TokenInvalid
from web.live.freshness import Staleness
from web.live.mailbox import Subscription
from web.services import Services
from web.transport import websocket
from web.transport.connection import ClientGone, TooSlow
from web.transport.messages import BadMessage, DashboardStatus, Error, Ping, Pong, Refresh, TokenRefreshed, parse
from web.transport.websocket import CloseSocket, Message, WebSocket, text_frame

log = structlog.get_logger()

PING_AFTER_S = 20.0
FORGET_AFTER_S = 38.0
BAD_IN_A_ROW = 3
# How soon a token that was revoked ends the sockets that it opened.
REVOCATION_CHECK_S = 20.0


class TokenBucket:
    """Messages of one socket: `burst` at once, then `rate` on average."""

    __slots__ = ("_burst", "_left", "_per_s", "_seen_at")

    def __init__(self, rate: str, burst: int) -> None:
        item = parse_rate(rate)
        self._per_s = item.amount / item.get_expiry()
        self._burst = float(burst)
        self._left = float(burst)
        self._seen_at = time.monotonic()

    def take(self) -> bool:
        """One token; false when there is none."""
        moment = time.monotonic()
        self._left = min(self._burst, self._left + (moment - self._seen_at) * self._per_s)
        self._seen_at = moment
        if self._left < 1:
            return False
        self._left -= 1
        return True


def status(staleness: Staleness) -> DashboardStatus:
    """Whether data is fresh, as a message."""
    since = None if staleness.since_ms is None else from_epoch_s(staleness.since_ms / 1000)
    return DashboardStatus(stale=staleness.stale, since=since, reason=staleness.reason)


class Session(ABC):
    """Subclasses say what the conversation is about; `run` returns when the socket is closed."""

    kind: ClassVar[Any]
    """Union of the client messages that this socket understands; Ping and Refresh are answered here."""

    def __init__(self, socket: WebSocket, subscription: Subscription, caller: Caller, services: Services) -> None:
        self.socket = socket
        self.subscription = subscription
        self.caller = caller
        self.services = services
        self._bucket = TokenBucket(services.settings.rate_messages, services.settings.message_burst)
        self._bad_in_a_row = 0
        self._alive_at = self._revocation_checked_at = time.monotonic()
        self._pinged = False

    @abstractmethod
    def open(self) -> None:
        """Send what comes first."""

    @abstractmethod
    def answer(self, message: Any) -> None:
        """Act on a message of the client, an instance of one of `kind`; raises BadMessage when it cannot be done."""

    @abstractmethod
    def deliver(self) -> None:
        """Send what waits, and what its time has come for."""

    @abstractmethod
    def due_in_s(self) -> float:
        """How long until `deliver` has something to do without being woken."""

    def run(self) -> None:
        """Serve the client until one side ends it."""
        try:
            self.open()
            while True:
                self.socket.connection.wait(self._sleep_s())
                self._check_end()
                self._read()
                self.deliver()
        except ClientGone:
            return
        except TooSlow:
            # A restart does not wait for a slow reader, but is not held against it either.
            draining = self.services.hub.draining
            self._close(
                *((websocket.RESTARTING, "server restarting") if draining else (websocket.TOO_SLOW, "too slow"))
            )
        except CloseSocket as end:
            self._close(end.code, end.reason)
        except Exception:
            # Whatever it was, an HTTP error page must not be written into the socket.
            log.exception("socket_failed")
            self._close(websocket.OUR_ERROR, "internal error")

    def send(self, message: msgspec.Struct) -> None:
        """One message to the client."""
        self.socket.send(text_frame(msgspec.json.encode(message)))

    def _close(self, code: int, reason: str) -> None:
        self.services.metrics.socket_closes.labels(str(int(code))).inc()
        self.socket.close(code, reason)

    def _sleep_s(self) -> float:
        alive_s = time.monotonic() - self._alive_at
        silence_s = (FORGET_AFTER_S if self._pinged else PING_AFTER_S) - alive_s
        return max(0.0, min(silence_s, self.caller.expires_at - time.time(), self.due_in_s()))

    def _check_end(self) -> None:
        if self.services.hub.draining:
            raise CloseSocket(websocket.RESTARTING, "server restarting")
        if self.subscription.ended:
            raise CloseSocket(websocket.NOT_YOURS, "no such tenant")
        if time.time() >= self.caller.expires_at:
            raise CloseSocket(websocket.TOKEN_EXPIRED, "token expired")
        if time.monotonic() - self._revocation_checked_at >= REVOCATION_CHECK_S:
            self._revocation_checked_at = time.monotonic()
            if self.services.auth.is_revoked(self.caller):
                raise CloseSocket(websocket.TOKEN_EXPIRED, "token revoked")
        silent_s = time.monotonic() - self._alive_at
        if silent_s >= FORGET_AFTER_S:
            self.socket.connection.abort()
            raise ClientGone("no answer to a ping")
        if silent_s >= PING_AFTER_S and not self._pinged:
            self._pinged = True
            self.socket.ping()

    def _read(self) -> None:
        for message in self.socket.received():
            self._alive_at = time.monotonic()
            self._pinged = False
            if not self._bucket.take():
                raise CloseSocket(websocket.TOO_MANY, "too many messages")
            if message is not None:
                self._handle(message)

    def _handle(self, message: Message) -> None:
        try:
            parsed = parse(message.data, is_text=message.is_text, kind=self.kind)
            if isinstance(parsed, Ping):
                self.send(Pong(timestamp=now()))
            elif isinstance(parsed, Refresh):
                self._refresh(parsed.token)
            else:
                self.answer(parsed)
        except BadMessage as error:
            self._bad_in_a_row += 1
            self.send(Error(code=error.code, message=error.message))
            if self._bad_in_a_row >= BAD_IN_A_ROW:
                raise CloseSocket(websocket.TOO_MANY, "too many bad messages") from error
        else:
            self._bad_in_a_row = 0

    def _refresh(self, token: str) -> None:
        try:
            caller = self.services.auth.verify(token)
        except TokenExpired as error:
            raise CloseSocket(websocket.TOKEN_EXPIRED, "token expired") from error
        except TokenInvalid as error:
            raise BadMessage(error.code, error.detail) from error
        if (caller.tenant_id, caller.subject) != (self.caller.tenant_id, self.caller.subject):
            raise CloseSocket(websocket.NOT_YOURS, "another subject")
        self.caller = caller
        self.send(TokenRefreshed(expires_at=from_epoch_s(caller.expires_at)))
