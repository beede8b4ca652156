"""Server-sent events as bytes, and how they reach one client without blocking the server. Source: SPEC 6."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator

import msgspec

from web.transport.connection import ClientGone, Connection, TooSlow

HEARTBEAT = b": heartbeat\n\n"


def event(message: msgspec.Struct, *, retry_ms: int | None = None) -> bytes:
    """A message as one event."""
    retry = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    return b"%sdata: %s\n\n" % (retry, msgspec.json.encode(message))


def numbered_event(event_id: str, kind: bytes, sequence: int, body: bytes) -> bytes:
    """A JSON object that is encoded already, with its type and number put in front."""
    return b'id: %s\ndata: {"type":"%s","sequence":%d,%s\n\n' % (event_id.encode(), kind, sequence, body[1:])


def retry_ms() -> int:
    """Spread, so that the clients of a restarted server do not come back all at once."""
    return random.randint(1000, 3000)  # noqa: S311 - spreads reconnects, guards nothing


class EventStream:
    """One client's stream. gunicorn writes the pieces; each is given out when the client has room for it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.written_at = time.monotonic()
        connection.lend()

    def send(self, events: Iterable[bytes]) -> Iterator[bytes]:
        """The events in pieces; ends when they do, and when the client left or does not read."""
        try:
            for one in events:
                yield from self._connection.pieces(one)
                self.written_at = time.monotonic()
        except ClientGone:
            return
        except TooSlow:
            self._connection.abort()

    def wait(self, timeout_s: float) -> None:
        """Sleep until woken or the time is over; raises ClientGone when the client closed its side."""
        self._connection.wait(max(0.0, timeout_s))
        if self._connection.left():
            raise ClientGone
