"""What waits for one notification socket: the newest board, and announcements of the operator."""

from __future__ import annotations

from collections.abc import Callable

from gevent.event import Event

from shared.alerts import LEVELS, Announcement, Board
from shared.snapshot import Level

# Words that a client does not read fast enough; of more than these the least severe are left out.
MOST_WAITING = 50


class BoardMailbox:
    """One socket's. A context manager: leaving it closes the mailbox."""

    __slots__ = ("_close", "_waiting", "board", "shown", "tenant_id", "wake")

    def __init__(
        self,
        tenant_id: str,
        wake: Event,
        close: Callable[[BoardMailbox], None],
        shown: Callable[[Board], Board] = lambda board: board,
    ) -> None:
        """`shown`: a board as this socket may see it."""
        self.tenant_id = tenant_id
        self.shown = shown
        self.wake = wake
        self.board: Board | None = None
        self._waiting: list[Announcement] = []
        self._close = close

    def __enter__(self) -> BoardMailbox:
        return self

    def __exit__(self, *_: object) -> None:
        self._close(self)

    def post(self, board: Board) -> None:
        """Put a newer board in the place of the last one."""
        self.board = self.shown(board)
        self.wake.set()

    def announce(self, announcement: Announcement) -> None:
        """Put a word of the operator in."""
        self._waiting.append(announcement)
        if len(self._waiting) > MOST_WAITING:
            levels = [waiting.level for waiting in self._waiting]
            least = next(level for level in reversed(LEVELS) if level in levels)
            del self._waiting[levels.index(least)]
        self.wake.set()

    def take(self, level: Level) -> Announcement | None:
        """The oldest announcement of that level."""
        found = next((waiting for waiting in self._waiting if waiting.level == level), None)
        if found is not None:
            self._waiting.remove(found)
        return found
