"""From Redis to the notification sockets of this process: each tenant's board as it is now, and the operator's words.

The same promise as the hub's, kept in the same way: notices only make it fast, everything ends in a reading of the store.
A socket is never sent a board but the difference to what its client knows (see web/alerts/feed.py), so whatever was missed
on the way, nothing is told twice and nothing open is left out.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import gevent
import structlog
from gevent.event import Event

from shared.alert_store import AlertReader, StoredBoard
from shared.alerts import Announcement, Board, BoardAlert
from shared.errors import DaybookError, StoreUnavailable
from shared.notices import Notice
from shared.snapshot import Level
from web.live.read_queue import READ_AT_ONCE, Due, surviving
from web.redis.circuit import Circuit

log = structlog.get_logger()

ASK_AGAIN_S = 5.0
# Words that a client does not read fast enough; of more than these the least severe are left out.
MOST_WAITING = 50
_REMEMBERED_ANNOUNCEMENTS = 200
_NEVER = -1e9


class Mailbox:
    """What waits for one notification socket: the newest board, and announcements. A context manager."""

    __slots__ = ("_close", "_waiting", "board", "tenant_id", "wake")

    def __init__(self, tenant_id: str, wake: Event, close: Callable[[Mailbox], None]) -> None:
        self.tenant_id = tenant_id
        self.wake = wake
        self.board: Board | None = None
        self._waiting: list[Announcement] = []
        self._close = close

    def __enter__(self) -> Mailbox:
        return self

    def __exit__(self, *_: object) -> None:
        self._close(self)

    def post(self, board: Board) -> None:
        """Put a newer board in the place of the last one."""
        self.board = board
        self.wake.set()

    def announce(self, announcement: Announcement) -> None:
        """Put a word of the operator in."""
        self._waiting.append(announcement)
        if len(self._waiting) > MOST_WAITING:
            levels = [waiting.level for waiting in self._waiting]
            least = next(level for level in ("info", "success", "warning", "critical") if level in levels)
            del self._waiting[levels.index(least)]
        self.wake.set()

    def take(self, level: Level) -> Announcement | None:
        """The oldest announcement of that level."""
        found = next((waiting for waiting in self._waiting if waiting.level == level), None)
        if found is not None:
            self._waiting.remove(found)
        return found


@dataclass(slots=True)
class _Watched:
    """A tenant as long as one of its notification sockets is open here."""

    mailboxes: set[Mailbox] = field(default_factory=set)
    stored: StoredBoard | None = None
    asked_at: float = _NEVER


class Boards:
    """One for each process; follows the hub, which tells it of notices, of reconnections and when to compare."""

    def __init__(self, reader: AlertReader, circuit: Circuit, *, recalculate: Callable[[str], None]) -> None:
        """`recalculate` sends a command, and may raise DaybookError."""
        self._reader = reader
        self._circuit = circuit
        self._recalculate = recalculate
        self._watched: dict[str, _Watched] = {}
        self._due = Due(self._read)
        self._announced: OrderedDict[str, None] = OrderedDict()
        self._started = False

    def open(self, tenant_id: str, wake: Event) -> Mailbox:
        """A mailbox for one socket with the board in it, unless Redis has none or is away: then it follows.

        `wake` is set whenever something arrives.
        """
        if not self._started:
            self._started = True
            gevent.spawn(surviving, self._due.read_forever)
        watched = self._watched.setdefault(tenant_id, _Watched())
        mailbox = Mailbox(tenant_id, wake, self._close)
        watched.mailboxes.add(mailbox)
        if watched.stored is not None:
            mailbox.post(watched.stored.board)
            self._due.add([tenant_id])
        else:
            self._read_now(tenant_id, watched)
        return mailbox

    def newest(self, tenant_id: str) -> Board | None:
        """The board as Redis has it now, None when it has none; while Redis is away what sockets here have.

        Raises StoreUnavailable when neither has one.
        """
        try:
            with self._circuit.guard():
                stored = self._reader.read(tenant_id)
        except StoreUnavailable:
            watched = self._watched.get(tenant_id)
            if watched is None or watched.stored is None:
                raise
            return watched.stored.board
        return stored.board if stored else None

    def find(self, mailbox: Mailbox, alert_id: str) -> BoardAlert | None:
        """An alert of the mailbox' tenant; one that is not known here is looked for in Redis. Raises StoreUnavailable."""
        known = mailbox.board.find(alert_id) if mailbox.board else None
        if known is not None:
            return known
        newest = self.newest(mailbox.tenant_id)
        return newest.find(alert_id) if newest else None

    def noticed(self, notice: Notice) -> None:
        """Something was published."""
        if notice.event is not None:
            self._announce(notice.tenant, notice.event)
        elif notice.alerts is not None and notice.tenant in self._watched:
            self._due.add([notice.tenant])

    def resync(self) -> None:
        """Notices may have been missed."""
        self._due.add(self._watched)

    def compare(self) -> None:
        """The last net: read again whatever stands at another version in the store, or is missing there."""
        everybody = list(self._watched)
        for start in range(0, len(everybody), READ_AT_ONCE):
            batch = everybody[start : start + READ_AT_ONCE]
            try:
                versions = self._reader.versions(batch)
            except StoreUnavailable:
                return
            self._due.add(
                tenant_id
                for tenant_id, version in zip(batch, versions, strict=True)
                if (watched := self._watched.get(tenant_id))
                and (watched.stored is None or watched.stored.version != version)
            )

    def _close(self, mailbox: Mailbox) -> None:
        watched = self._watched.get(mailbox.tenant_id)
        if watched:
            watched.mailboxes.discard(mailbox)
            if not watched.mailboxes:
                del self._watched[mailbox.tenant_id]

    def _read_now(self, tenant_id: str, watched: _Watched) -> None:
        try:
            with self._circuit.guard():
                stored = self._reader.read(tenant_id)
        except StoreUnavailable:
            self._due.add([tenant_id])
        else:
            self._accept(tenant_id, watched, stored)

    def _read(self, batch: list[str]) -> None:
        for tenant_id, stored in zip(batch, self._reader.read_many(batch), strict=True):
            if watched := self._watched.get(tenant_id):
                self._accept(tenant_id, watched, stored)

    def _accept(self, tenant_id: str, watched: _Watched, stored: StoredBoard | None) -> None:
        held = watched.stored
        if stored is None or (held and held.version != stored.version and not stored.version.replaces(held.version)):
            # Redis lost what it held. The next computation reads it from the database again.
            if time.monotonic() - watched.asked_at > ASK_AGAIN_S:
                watched.asked_at = time.monotonic()
                gevent.spawn(self._ask, tenant_id)
        elif held is None or held.version != stored.version:
            watched.stored = stored
            for mailbox in watched.mailboxes:
                mailbox.post(stored.board)

    def _ask(self, tenant_id: str) -> None:
        try:
            self._recalculate(tenant_id)
        except DaybookError as error:
            log.warning("command_not_sent", tenant_id=tenant_id, error=type(error).__name__)

    def _announce(self, tenant_id: str | None, announcement: Announcement) -> None:
        if announcement.id in self._announced:
            return
        self._announced[announcement.id] = None
        if len(self._announced) > _REMEMBERED_ANNOUNCEMENTS:
            self._announced.popitem(last=False)
        for watched_id, watched in self._watched.items():
            if tenant_id in (None, watched_id):
                for mailbox in watched.mailboxes:
                    mailbox.announce(announcement)
