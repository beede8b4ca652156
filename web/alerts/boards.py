"""Boards as a replica: each tenant's alerts as they are now, for its notification sockets and for REST, and announcements.

A socket is never sent a board but the difference to what its client knows (see web/alerts/feed.py), so whatever was missed
on the way, nothing is told twice and nothing open is left out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import gevent
import structlog
from gevent.event import Event
from msgspec.structs import replace
from prometheus_client import Counter

from shared.alert_store import AlertReader, StoredBoard
from shared.alerts import Announcement, Board, BoardAlert
from shared.errors import DaybookError, StoreUnavailable
from shared.notices import Notice
from shared.versions import BoardVersion
from shared.views import View
from web.alerts.mailbox import BoardMailbox
from web.live.held import Gone, Held
from web.live.replica import Replica
from web.redis.circuit import Circuit

log = structlog.get_logger()

_REMEMBERED_ANNOUNCEMENTS = 200
# Of so many tenants the boards as views have them are kept.
_MOST_CUT = 512


class BoardReader:
    """How a replica of boards asks the store. A tenant that is gone has no board; its snapshot says that it is gone."""

    def __init__(self, reader: AlertReader) -> None:
        self._reader = reader
        self.read_many: Callable[[Sequence[str]], Sequence[StoredBoard | Gone | None]] = reader.read_many
        self.read: Callable[[str], StoredBoard | Gone | None] = reader.read
        self.versions: Callable[[Sequence[str]], list[BoardVersion | None]] = reader.versions

    def confirm(self, tenant_id: str, held: StoredBoard) -> StoredBoard | None:
        return held if self.versions([tenant_id]) == [held.version] else None

    def merged(self, before: StoredBoard, after: StoredBoard) -> StoredBoard:
        return before if before.version == after.version else after


class Boards:
    """One for each process; follows the hub."""

    def __init__(
        self, reader: AlertReader, circuit: Circuit, *, recalculate: Callable[[str], None], reads: Counter
    ) -> None:
        """`recalculate` sends a command, and may raise DaybookError. The label of `reads` says whether what was held was
        the newest."""
        self._recalculate = recalculate
        self._mailboxes: dict[str, set[BoardMailbox]] = {}
        self._cuts: OrderedDict[str, tuple[Board, dict[str, Board]]] = OrderedDict()
        self._announced: OrderedDict[str, None] = OrderedDict()
        self._replica = Replica(
            BoardReader(reader),
            circuit,
            on_read=self._on_read,
            # The next computation reads it from the database again.
            on_lost=lambda tenant_id, _: gevent.spawn(self._ask, tenant_id),
            count=lambda is_hit: reads.labels("board", "held" if is_hit else "read").inc(),
        )
        self.read_forever = self._replica.read_forever
        self.resync = self._replica.resync
        self.compare = self._replica.compare

    def through(self, tenant_id: str, board: Board, view: View | None) -> Board:
        """The board as somebody with that view sees it: cut down once for all of them."""
        if view is None:
            return board
        whole, cuts = self._cuts.get(tenant_id, (None, {}))
        if whole is not board:
            cuts = {}
            self._cuts[tenant_id] = (board, cuts)
            self._cuts.move_to_end(tenant_id)
            if len(self._cuts) > _MOST_CUT:
                self._cuts.popitem(last=False)
        if view.name not in cuts:
            shown = tuple(alert for alert in board.alerts if view.shows_alert(alert.metric))
            cuts[view.name] = replace(board, alerts=shown)
        return cuts[view.name]

    def open(self, tenant_id: str, wake: Event, view: View | None = None) -> BoardMailbox:
        """A mailbox for one socket with the board in it, unless Redis has none or is away: then it follows.

        `wake` is set whenever something arrives.
        """
        is_followed = tenant_id in self._mailboxes
        held = self._replica.attend(tenant_id)
        mailbox = BoardMailbox(tenant_id, wake, self._close, lambda board: self.through(tenant_id, board, view))
        self._mailboxes.setdefault(tenant_id, set()).add(mailbox)
        if is_followed and held.value is not None:
            mailbox.post(held.value.board)
            self._replica.read_soon([tenant_id])
        else:
            self._read_now(mailbox)
        return mailbox

    def followed(self) -> list[str]:
        """The tenants with sockets here."""
        return list(self._mailboxes)

    def newest(self, tenant_id: str) -> Board | None:
        """The board as Redis has it now, None when it has none; while Redis is away what sockets here have.

        Raises StoreUnavailable when neither has one.
        """
        try:
            stored = self._replica.newest(tenant_id)
        except StoreUnavailable:
            held = self._replica.held(tenant_id)
            # Only what is kept true: nothing about a list of alerts says that it may be old.
            if held is None or held.value is None or not held.has_clients:
                raise
            return held.value.board
        return stored.board if isinstance(stored, StoredBoard) else None

    def find(self, mailbox: BoardMailbox, alert_id: str) -> BoardAlert | None:
        """An alert of the mailbox' tenant; one that is not known here is looked for in Redis. Raises StoreUnavailable."""
        known = mailbox.board.find(alert_id) if mailbox.board else None
        if known is not None:
            return known
        newest = self.newest(mailbox.tenant_id)
        return mailbox.shown(newest).find(alert_id) if newest else None

    def noticed(self, notice: Notice) -> None:
        """Something was published."""
        if notice.event is not None:
            self._announce(notice.tenant, notice.event)
        elif notice.alerts is not None and notice.tenant in self._mailboxes:
            self._replica.read_soon([notice.tenant])

    def _close(self, mailbox: BoardMailbox) -> None:
        if mailboxes := self._mailboxes.get(mailbox.tenant_id):
            mailboxes.discard(mailbox)
            if not mailboxes:
                del self._mailboxes[mailbox.tenant_id]
                self._replica.leave(mailbox.tenant_id)

    def _read_now(self, mailbox: BoardMailbox) -> None:
        try:
            stored = self._replica.newest(mailbox.tenant_id)
        except StoreUnavailable:
            self._replica.read_soon([mailbox.tenant_id])
        else:
            if isinstance(stored, StoredBoard):
                mailbox.post(stored.board)

    def _on_read(self, held: Held[StoredBoard], news: bool) -> None:
        if held.value is not None:
            for mailbox in self._mailboxes.get(held.tenant_id, ()):
                if news or mailbox.board is None:
                    mailbox.post(held.value.board)

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
        for follower_id, mailboxes in self._mailboxes.items():
            if tenant_id in (None, follower_id):
                for mailbox in mailboxes:
                    mailbox.announce(announcement)
