"""SSE /api/dashboard/streaming/aggregate/: the same snapshots as one-way events. Source: SPEC 6."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec
from flask import Flask, Response, request

from shared.settings import Intervals
from shared.versions import Version
from web.access.auth import TICKET_PARAMETER
from web.access.tokens import Caller
from web.api.admission import Doorkeeper
from web.api.snapshot import Snapshots
from web.http.clock import from_epoch_s, now
from web.http.requests import query, whole_number
from web.live.freshness import Staleness
from web.live.mailbox import Subscription, Update
from web.services import Services
from web.transport.connection import ClientGone, Connection, TooSlow
from web.transport.messages import StreamConnection, StreamEnd, StreamStatus

HEARTBEAT_S = 15.0
MAX_UPDATES = 1000
DEFAULT_UPDATES = 100
# A client that has seen more than the store holds waits so long for a new epoch before it gets what there is.
DOUBT_S = 2.0
REVOCATION_CHECK_S = 20.0
_HEARTBEAT = b": heartbeat\n\n"

End = Literal["max_updates", "token_expired", "restarting", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a client asked for."""

    interval_s: int
    max_updates: int
    last_seen: Version | None


class Stream:
    """The events of one client; `events` ends when the stream does."""

    def __init__(
        self,
        subscription: Subscription,
        connection: Connection,
        caller: Caller,
        wishes: Wishes,
        services: Services,
    ) -> None:
        self._subscription = subscription
        self._connection = connection
        self._caller = caller
        self._wishes = wishes
        self._hub = services.hub
        self._auth = services.auth
        self._sent = services.metrics.updates.labels("stream")
        self._sequence = 0
        self._seen = wishes.last_seen
        self._doubt_until: float | None = None
        self._sent_at = self._written_at = self._revocation_checked_at = time.monotonic()

    def events(self) -> Iterator[bytes]:
        """Each event when it is due and the client has room for it. A client that left or does not read ends it."""
        try:
            for event in self._events():
                yield from self._connection.pieces(event)
                self._written_at = time.monotonic()
        except ClientGone:
            return
        except TooSlow:
            self._connection.abort()

    def _events(self) -> Iterator[bytes]:
        yield _event(
            StreamConnection(
                user_id=self._caller.tenant_id,
                interval=self._wishes.interval_s,
                max_updates=self._wishes.max_updates,
                timestamp=now(),
            ),
            retry_ms=_retry_ms(),
        )
        while (end := self._end()) is None:
            news = self._subscription.take()
            if isinstance(news, Update):
                if not self._to_skip(news.version):
                    yield self._update(news)
            elif news is not None:
                yield _event(_status(news))
            else:
                yield from self._idle()
        yield _event(StreamEnd(reason=end, sequence=self._sequence), retry_ms=_retry_ms())

    def _idle(self) -> Iterator[bytes]:
        """Nothing waits: sleep until something does, and do what its time has come for."""
        moment = time.monotonic()
        beat_in_s = self._written_at + HEARTBEAT_S - moment
        due_in_s = self._sent_at + self._wishes.interval_s - moment
        expiry_in_s = self._caller.expires_at - time.time()
        doubt_in_s = HEARTBEAT_S if self._doubt_until is None else self._doubt_until - moment
        if due_in_s <= 0 or doubt_in_s <= 0:
            self._sent_at = moment
            self._seen = self._doubt_until = None
            self._subscription.request()
        elif beat_in_s <= 0:
            yield _HEARTBEAT
        else:
            self._connection.wait(max(0.0, min(beat_in_s, due_in_s, expiry_in_s, doubt_in_s)))
            if self._connection.left():
                raise ClientGone

    def _end(self) -> End | None:
        if self._sequence >= self._wishes.max_updates:
            return "max_updates"
        if self._hub.draining:
            return "restarting"
        if self._subscription.ended:
            return "gone"
        if time.time() >= self._caller.expires_at or self._revoked():
            return "token_expired"
        return None

    def _revoked(self) -> bool:
        if time.monotonic() - self._revocation_checked_at < REVOCATION_CHECK_S:
            return False
        self._revocation_checked_at = time.monotonic()
        return self._auth.is_revoked(self._caller)

    def _to_skip(self, version: Version) -> bool:
        """Whether the client, which reconnected, has this one already, or a later one that Redis lost."""
        if self._seen is None or version.replaces(self._seen):
            return False
        if version != self._seen and self._doubt_until is None and self._hub.doubt(self._caller.tenant_id, self._seen):
            self._doubt_until = time.monotonic() + DOUBT_S
        return True

    def _update(self, update: Update) -> bytes:
        self._sequence += 1
        self._sent.inc()
        self._seen = self._doubt_until = None
        self._sent_at = time.monotonic()
        return b'id: %s\ndata: {"type":"dashboard_update","sequence":%d,%s\n\n' % (
            str(update.version).encode(),
            self._sequence,
            update.body[1:],
        )


def _event(message: msgspec.Struct, *, retry_ms: int | None = None) -> bytes:
    retry = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    return b"%sdata: %s\n\n" % (retry, msgspec.json.encode(message))


def _retry_ms() -> int:
    """Spread, so that the clients of a restarted server do not come back all at once."""
    return random.randint(1000, 3000)  # noqa: S311 - spreads reconnects, guards nothing


def _status(staleness: Staleness) -> StreamStatus:
    since = None if staleness.since_ms is None else from_epoch_s(staleness.since_ms / 1000)
    return StreamStatus(stale=staleness.stale, since=since, reason=staleness.reason)


def _wishes(intervals: Intervals) -> Wishes:
    parameters = query(request, ("interval", "max_updates", TICKET_PARAMETER))
    return Wishes(
        interval_s=whole_number(
            parameters, "interval", default=intervals.default_s, low=intervals.min_s, high=intervals.max_s
        ),
        max_updates=whole_number(parameters, "max_updates", default=DEFAULT_UPDATES, low=1, high=MAX_UPDATES),
        last_seen=Version.parse(request.headers.get("Last-Event-ID", "")),
    )


def register(app: Flask, services: Services, snapshots: Snapshots) -> None:
    """The stream's route."""
    doorkeeper = Doorkeeper(services, snapshots)

    @app.get("/api/dashboard/streaming/aggregate/")
    def stream() -> Response:
        wishes = _wishes(services.settings.intervals)
        client = request.environ["gunicorn.socket"]
        admission = doorkeeper.admit("stream")
        subscription = services.hub.subscribe(admission.caller.tenant_id)
        connection = Connection(client, subscription.wake, hurry=lambda: services.hub.draining)
        # gunicorn writes the chunks; `pieces` sees to it that it does not block on them.
        connection.lend()
        served = Stream(subscription, connection, admission.caller, wishes, services)
        response = Response(served.events(), content_type="text/event-stream; charset=utf-8")
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        for free in (admission.lease.release, subscription.close, connection.release):
            response.call_on_close(free)
        return response
