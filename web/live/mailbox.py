"""What waits for one client: at most one snapshot, the newest, and at most one status. A slow reader skips versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal
from urllib.parse import quote

from gevent.event import Event

from shared.snapshot import serve
from shared.versions import Version
from shared.views import View
from web.http.encodings import gzipped
from web.live.freshness import Staleness
from web.transport.frames import SharedMessage

Form = Literal["snapshot", "overview"]

_OPEN = b'{"type":"dashboard.update","data":'


@dataclass(frozen=True)
class Update:
    """One stored body of a version as clients get it. Each form is made once, when the first client needs it."""

    version: Version
    stale: bool
    stored: bytes
    """As the store holds it, without version and stale."""
    form: Form = "snapshot"
    view: View | None = None

    def marked(self, *, stale: bool) -> Update:
        """The same with `stale` as it is now."""
        return self if stale == self.stale else self._otherwise_marked

    def through(self, view: View | None) -> Update:
        """What somebody with that view gets of it: cut down once for all of them."""
        if view is None:
            return self
        if view.name not in self._cuts:
            cut = view.cut_snapshot if self.form == "snapshot" else view.cut_overview
            self._cuts[view.name] = replace(self, stored=cut(self.stored), view=view)
        return self._cuts[view.name]

    @cached_property
    def _otherwise_marked(self) -> Update:
        return replace(self, stale=not self.stale)

    @cached_property
    def _cuts(self) -> dict[str, Update]:
        return {}

    @property
    def etag(self) -> str:
        """The version, the view and whether it is stale: another answer has another tag.

        Views may have any name, and a header only some characters.
        """
        view = f".{quote(self.view.name, safe='')}" if self.view else ""
        return f"{self.version}{view}{'+stale' if self.stale else ''}"

    @cached_property
    def body(self) -> bytes:
        """As REST serves it: one JSON object. A stream puts it into an event."""
        return serve(self.stored, version=str(self.version), stale=self.stale)

    @cached_property
    def compressed(self) -> bytes:
        """The body as gzip."""
        return gzipped(self.body)

    @cached_property
    def message(self) -> SharedMessage:
        """As every socket sends it."""
        return SharedMessage(_OPEN + serve(self.stored, version=str(self.version), stale=self.stale) + b"}")


class Mailbox:
    """One client's place among those who follow a tenant. A context manager: leaving it closes the mailbox."""

    __slots__ = (
        "_close", "_request", "_status", "_update", "_view", "is_tenant_gone", "news_at", "tenant_id", "wake", "wanting",
    )  # fmt: skip

    def __init__(
        self,
        tenant_id: str,
        view: View | None,
        *,
        request: Callable[[Mailbox], None],
        close: Callable[[Mailbox], None],
    ) -> None:
        self.tenant_id = tenant_id
        self._view = view
        self.wake = Event()
        # The next reading is to be delivered even if its version is not new.
        self.wanting = True
        self.is_tenant_gone = False
        # When the newest snapshot was put in, by time.monotonic(); None when it was only asked for.
        self.news_at: float | None = None
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

    def post(self, update: Update, *, news_at: float | None = None) -> None:
        """Put a snapshot in, in place of one that was not taken yet. `news_at`: the moment, if nobody has seen it before."""
        self.news_at = news_at
        self._update = update.through(self._view)
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
