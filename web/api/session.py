"""One socket's life, whatever it talks about: what comes in is checked, what waits goes out, and every end has its code.

One greenlet serves one socket: it sleeps until the client sent something, the mailbox holds something, or a time has come.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
import structlog
from prometheus_client import Counter

from web.access.tokens import Caller
from web.api.bucket import TokenBucket
from web.http.clock import from_epoch_s, now
from web.http.problems import TokenExpired, TokenInvalid
from web.live.freshness import Staleness
from web.live.lifetime import Ending, Lifetime
from web.live.mailbox import Mailbox
from web.transport.close_codes import NOT_YOURS, OUR_ERROR, RESTARTING, TOKEN_EXPIRED, TOO_MANY, TOO_SLOW, CloseCode
from web.transport.connection import ClientGone, TooSlow
from web.transport.frames import text_frame
from web.transport.messages import BadMessage, DashboardStatus, Error, Ping, Pong, Refresh, TokenRefreshed, parse
from web.transport.websocket import CloseSocket, Message, WebSocket

log = structlog.get_logger()

PING_AFTER_S = 20.0
FORGET_AFTER_S = 38.0
BAD_IN_A_ROW = 3

# What a socket is told when its client must go.
ENDINGS: Mapping[Ending, tuple[CloseCode, str]] = {
    Ending.RESTARTING: (RESTARTING, "server restarting"),
    Ending.TENANT_GONE: (NOT_YOURS, "no such tenant"),
    Ending.TOKEN_EXPIRED: (TOKEN_EXPIRED, "token expired"),
    Ending.TOKEN_REVOKED: (TOKEN_EXPIRED, "token revoked"),
    Ending.TOO_SLOW: (TOO_SLOW, "too slow"),
}


def status(staleness: Staleness) -> DashboardStatus:
    """Whether data is fresh, as a message."""
    since = None if staleness.since_ms is None else from_epoch_s(staleness.since_ms / 1000)
    return DashboardStatus(stale=staleness.stale, since=since, reason=staleness.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParts:
    """What every session is made of. `verify` checks the token of a Refresh; `closes` counts by close code."""

    socket: WebSocket
    mailbox: Mailbox
    lifetime: Lifetime
    bucket: TokenBucket
    verify: Callable[[str], Caller]
    closes: Counter


class Session(ABC):
    """Subclasses say what the conversation is about; `run` returns when the socket is closed."""

    kind: ClassVar[Any]
    """Union of the client messages that this socket understands; Ping and Refresh are answered here."""

    def __init__(self, parts: SessionParts) -> None:
        self.socket = parts.socket
        self.mailbox = parts.mailbox
        self._lifetime = parts.lifetime
        self._bucket = parts.bucket
        self._verify = parts.verify
        self._closes = parts.closes
        self._bad_in_a_row = 0
        self._alive_at = time.monotonic()
        self._pinged = False

    @property
    def caller(self) -> Caller:
        """Who is at the other end, by the newest token."""
        return self._lifetime.caller

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
            self._close(_told(self._converse()))
        except ClientGone:
            return
        except TooSlow:
            self._close(_told(self._lifetime.ending_of_slow_reader()))
        except CloseSocket as end:
            self._close(end)
        except Exception:
            # Whatever it was, an HTTP error page must not be written into the socket.
            log.exception("socket_failed")
            self._close(CloseSocket(OUR_ERROR, "internal error"))

    def send(self, message: msgspec.Struct) -> None:
        """One message to the client."""
        self.socket.send(text_frame(msgspec.json.encode(message)))

    def _converse(self) -> Ending:
        self.open()
        while True:
            self.socket.connection.wait(self._sleep_s())
            if (ending := self._lifetime.ending()) is not None:
                return ending
            self._check_presence()
            self._read()
            self.deliver()

    def _close(self, end: CloseSocket) -> None:
        self._closes.labels(str(end.code)).inc()
        self.socket.close(end.code, end.reason)

    def _sleep_s(self) -> float:
        alive_s = time.monotonic() - self._alive_at
        silence_s = (FORGET_AFTER_S if self._pinged else PING_AFTER_S) - alive_s
        return max(0.0, min(silence_s, self._lifetime.left_s, self.due_in_s()))

    def _check_presence(self) -> None:
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
                raise CloseSocket(TOO_MANY, "too many messages")
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
                raise CloseSocket(TOO_MANY, "too many bad messages") from error
        else:
            self._bad_in_a_row = 0

    def _refresh(self, token: str) -> None:
        try:
            caller = self._verify(token)
        except TokenExpired as error:
            raise _told(Ending.TOKEN_EXPIRED) from error
        except TokenInvalid as error:
            raise BadMessage(error.code, error.detail) from error
        if (caller.tenant_id, caller.subject) != (self.caller.tenant_id, self.caller.subject):
            raise CloseSocket(NOT_YOURS, "another subject")
        if caller.view != self.caller.view:
            raise BadMessage("another_view", "the token is for another view: connect anew with it")
        self._lifetime.renew(caller)
        self.send(TokenRefreshed(expires_at=from_epoch_s(caller.expires_at)))


def _told(ending: Ending) -> CloseSocket:
    return CloseSocket(*ENDINGS[ending])
