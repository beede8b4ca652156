"""What waits for one client: at most one snapshot, the newest, and at most one status. A slow reader skips versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gevent.event import Event

from shared.snapshot import serve
from shared.versions import Version
from web.live.freshness import Staleness
from web.transport.websocket import payload_start, text_frame

_OPEN = b'{"type":"dashboard.update","data":'


@dataclass(frozen=True, slots=True)
class Update:
    """One snapshot ready to be sent, encoded once per process: sockets share `frame`, a stream's event is cut from it."""

    version: Version
    stale: bool
    frame: bytes
    fields_at: int

    @classmethod
    def of(cls, snapshot: bytes, version: Version, *, stale: bool) -> Update:
        """From the stored bytes of a snapshot."""
        frame = text_frame(_OPEN + serve(snapshot, version=str(version), stale=stale) + b"}")
        return cls(version, stale, frame, len(frame) - len(snapshot))

    def marked(self, *, stale: bool) -> Update:
        """The same snapshot with `stale` as it is now."""
        if stale == self.stale:
            return self
        return Update.of(self.stored, self.version, stale=stale)

    @property
    def stored(self) -> bytes:
        """The snapshot as the store holds it, without version and stale."""
        return b"{" + self.frame[self.fields_at : -1]

    @property
    def body(self) -> bytes:
        """The snapshot as REST serves it: one JSON object."""
        return self.frame[payload_start(self.frame) + len(_OPEN) : -1]


class Subscription:
    """One client's place at the hub. A context manager: leaving it ends the subscription."""

    __slots__ = ("_close", "_request", "_status", "_update", "ended", "tenant_id", "wake", "wanting")

    def __init__(
        self, tenant_id: str, *, request: Callable[[Subscription], None], close: Callable[[Subscription], None]
    ) -> None:
        self.tenant_id = tenant_id
        self.wake = Event()
        # The next reading is to be delivered even if its version is not new.
        self.wanting = True
        # The tenant does not exist any more.
        self.ended = False
        self._update: Update | None = None
        self._status: Staleness | None = None
        self._request = request
        self._close = close

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the subscription."""
        self._close(self)

    def request(self) -> None:
        """Ask for the newest snapshot as Redis holds it now; it arrives in the mailbox."""
        self._request(self)

    def take(self) -> Update | Staleness | None:
        """The oldest thing that waits, None when nothing does."""
        update, self._update = self._update, None
        if update is not None:
            return update
        status, self._status = self._status, None
        return status

    def post(self, update: Update) -> None:
        """Put a snapshot in, in place of one that was not taken yet."""
        self._update = update
        self.wanting = False
        self.wake.set()

    def post_status(self, status: Staleness) -> None:
        """Put a status in, in place of one that was not taken yet."""
        self._status = status
        self.wake.set()

    def end(self) -> None:
        """Tell the client's session that its tenant is gone."""
        self.ended = True
        self.wake.set()
