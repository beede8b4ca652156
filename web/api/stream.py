"""SSE /api/dashboard/streaming/aggregate/: the same snapshots as one-way events. Source: SPEC 6."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from flask import Flask, Response, request

from shared.settings import Intervals
from shared.versions import Version
from web.access.auth import TICKET_PARAMETER
from web.api.admission import Doorkeeper
from web.http.clock import from_epoch_s, now
from web.http.requests import query, whole_number
from web.live.freshness import Staleness
from web.live.hub import Hub
from web.live.lifetime import Ending, Lifetime
from web.live.mailbox import Mailbox, Update
from web.live.revocations import Revocations
from web.live.snapshots import Snapshots
from web.live.stages import Sent
from web.transport import sse
from web.transport.connection import Connection
from web.transport.messages import StreamConnection, StreamEnd, StreamStatus
from web.transport.sse import EventStream

HEARTBEAT_S = 15.0
MAX_UPDATES = 1000
DEFAULT_UPDATES = 100
# A client that has seen more than the store holds waits so long for a new epoch before it gets what there is.
DOUBT_S = 2.0

End = Literal["max_updates", "token_expired", "restarting", "gone"]
# A reader that is too slow is told nothing: it does not read.
_ENDS: Mapping[Ending, End] = {
    Ending.RESTARTING: "restarting",
    Ending.TENANT_GONE: "gone",
    Ending.TOKEN_EXPIRED: "token_expired",
    Ending.TOKEN_REVOKED: "token_expired",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a client asked for."""

    interval_s: int
    max_updates: int
    last_seen: Version | None


class StreamSession:
    """The events of one client; `events` ends when the stream does."""

    def __init__(
        self,
        mailbox: Mailbox,
        stream: EventStream,
        lifetime: Lifetime,
        wishes: Wishes,
        *,
        snapshots: Snapshots,
        sent: Sent,
    ) -> None:
        """`sent` is told of each snapshot."""
        self._mailbox = mailbox
        self._stream = stream
        self._lifetime = lifetime
        self._wishes = wishes
        self._snapshots = snapshots
        self._sent = sent
        self._sequence = 0
        self._seen = wishes.last_seen
        self._doubt_until: float | None = None
        self._sent_at = time.monotonic()

    def events(self) -> Iterator[bytes]:
        """Each event when it is due, the last one says why it is the last."""
        yield sse.event(
            StreamConnection(
                user_id=self._mailbox.tenant_id,
                interval=self._wishes.interval_s,
                max_updates=self._wishes.max_updates,
                timestamp=now(),
            ),
            retry_ms=sse.retry_ms(),
        )
        while (end := self._end()) is None:
            news = self._mailbox.take()
            if isinstance(news, Update):
                if not self._to_skip(news.version):
                    news_at = self._mailbox.news_at
                    yield self._update(news)
                    self._sent(news_at)
            elif news is not None:
                yield sse.event(_status(news))
            else:
                yield from self._idle()
        yield sse.event(StreamEnd(reason=end, sequence=self._sequence), retry_ms=sse.retry_ms())

    def _idle(self) -> Iterator[bytes]:
        """Nothing waits: sleep until something does, and do what its time has come for."""
        moment = time.monotonic()
        beat_in_s = self._stream.written_at + HEARTBEAT_S - moment
        due_in_s = self._sent_at + self._wishes.interval_s - moment
        doubt_in_s = HEARTBEAT_S if self._doubt_until is None else self._doubt_until - moment
        if due_in_s <= 0 or doubt_in_s <= 0:
            self._sent_at = moment
            self._seen = self._doubt_until = None
            self._mailbox.request()
        elif beat_in_s <= 0:
            yield sse.HEARTBEAT
        else:
            self._stream.wait(min(beat_in_s, due_in_s, self._lifetime.left_s, doubt_in_s))

    def _end(self) -> End | None:
        if self._sequence >= self._wishes.max_updates:
            return "max_updates"
        ending = self._lifetime.ending()
        return None if ending is None else _ENDS[ending]

    def _to_skip(self, version: Version) -> bool:
        """Whether the client, which reconnected, has this one already, or a later one that Redis lost."""
        if self._seen is None or version.replaces(self._seen):
            return False
        if (
            version != self._seen
            and self._doubt_until is None
            and self._snapshots.doubt(self._mailbox.tenant_id, self._seen)
        ):
            self._doubt_until = time.monotonic() + DOUBT_S
        return True

    def _update(self, update: Update) -> bytes:
        self._sequence += 1
        self._seen = self._doubt_until = None
        self._sent_at = time.monotonic()
        return sse.numbered_event(str(update.version), b"dashboard_update", self._sequence, update.body)


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


def register(
    app: Flask,
    *,
    doorkeeper: Doorkeeper,
    hub: Hub,
    snapshots: Snapshots,
    revocations: Revocations,
    intervals: Intervals,
    sent: Sent,
) -> None:
    """The stream's route. `sent` is told of each snapshot."""

    @app.get("/api/dashboard/streaming/aggregate/")
    def stream() -> Response:
        wishes = _wishes(intervals)
        client = request.environ["gunicorn.socket"]
        admission = doorkeeper.admit("stream")
        mailbox = snapshots.open(admission.caller.tenant_id, admission.caller.view)
        connection = Connection(client, mailbox.wake, hurry=hub.is_draining)
        lifetime = Lifetime(
            admission.caller,
            is_draining=hub.is_draining,
            is_gone=lambda: mailbox.is_tenant_gone,
        )
        revocations.watch(lifetime, mailbox.wake)
        served = EventStream(connection)
        session = StreamSession(mailbox, served, lifetime, wishes, snapshots=snapshots, sent=sent)
        response = Response(served.send(session.events()), content_type="text/event-stream; charset=utf-8")
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        for free in (
            admission.slot.release,
            mailbox.close,
            connection.release,
            partial(revocations.leave, lifetime),
        ):
            response.call_on_close(free)
        return response
