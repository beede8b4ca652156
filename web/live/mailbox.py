"""What waits for one client: at most one snapshot, the newest, and at most one status. A slow reader skips versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from gevent.event import Event

from shared.snapshot import serve
from shared.versions import Version
from web.live.freshness import Staleness
from web.transport.websocket import text_frame

_OPEN = b'{"type":"dashboard.update","data":'


@dataclass(frozen=True)
class Update:
    """One stored body of a version as clients get it. Each form is made once, when the first client needs it."""

    version: Version
    stale: bool
    stored: bytes
    """As the store holds it, without version and stale."""

    def marked(self, *, stale: bool) -> Update:
        """The same with `stale` as it is now."""
        return self if stale == self.stale else Update(self.version, stale, self.stored)

    @cached_property
    def body(self) -> bytes:
        """As REST serves it: one JSON object. A stream puts it into an event."""
        return serve(self.stored, version=str(self.version), stale=self.stale)

    @cached_property
    def frame(self) -> bytes:
        """As every socket sends it: one whole WebSocket frame."""
        return text_frame(_OPEN + serve(self.stored, version=str(self.version), stale=self.stale) + b"}")


class Mailbox:
    """One client's place among those who follow a tenant. A context manager: leaving it closes the mailbox."""

    __slots__ = ("_close", "_request", "_status", "_update", "is_tenant_gone", "tenant_id", "wake", "wanting")

    def __init__(self, tenant_id: str, *, request: Callable[[Mailbox], None], close: Callable[[Mailbox], None]) -> None:
        self.tenant_id = tenant_id
        self.wake = Event()
        # The next reading is to be delivered even if its version is not new.
        self.wanting = True
        self.is_tenant_gone = False
        self._update: Update | None = None
        self._status: Staleness | None = None
        self._request = request
        self._close = close

    def __enter__(self) -> Mailbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is put in any more."""
        self._close(self)

    def request(self) -> None:
        """Ask for the newest snapshot as Redis holds it now; it arrives here."""
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
        self.is_tenant_gone = True
        self.wake.set()
