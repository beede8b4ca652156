"""What one notification socket still has to be told: the difference between the board and what its client knows.

Pure but for what it remembers; time comes in. So it does not matter how often the board changed in between, or what was
missed: nothing is told twice, nothing open is left out, and the most severe comes first. Source: SPEC 4 and 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from shared.alerts import EVERYTHING, LEVELS, AlertView, Board, BoardAlert, Subscription
from shared.snapshot import Instant, Level
from web.alerts.messages import (
    AlertAcknowledged,
    AlertCleared,
    AlertMessage,
    AlertNew,
    AlertSnoozed,
    AlertUpdated,
)

Kind = type[AlertUpdated] | type[AlertCleared] | type[AlertAcknowledged] | type[AlertSnoozed]


class AlertFeed:
    """One for each socket. `look` at the board, then `take` what is to be told."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        # What the client could know of each alert that has not ended; it was told of those in `_told`.
        self._seen: dict[str, AlertView] = {}
        self._told: set[str] = set()
        self._expected: set[str] = set()
        # Not cleared when the client came: what it is told of these at first is no news.
        self._old: frozenset[str] | None = None
        self._board: Board | None = None
        self._wake_at: Instant | None = None
        self._pending: dict[Level, list[tuple[AlertView, list[AlertMessage]]]] = {}
        self.subscription = EVERYTHING

    @property
    def wake_at(self) -> Instant | None:
        """When the next snooze runs out: look again then, though nothing arrives."""
        return self._wake_at

    def expect(self, alert_id: str) -> None:
        """The client has done something with this alert, so it hears of it whatever it subscribed to."""
        self._expected.add(alert_id)

    def look(self, board: Board, now: Instant) -> Subscription | None:
        """See what there is to tell. Returns the person's subscription if it has changed since the last look."""
        if board is self._board and (self._wake_at is None or now < self._wake_at):
            return None
        is_first = self._old is None
        if self._old is None:
            self._old = frozenset(alert.id for alert in board.alerts if alert.cleared_at is None)
        self._board = board
        subscription = board.subscriptions.get(self._subject, EVERYTHING)
        has_changed = subscription != self.subscription
        self.subscription = subscription
        self._wake_at = None
        self._pending = {level: [] for level in LEVELS}
        for alert in board.alerts:
            self._see(alert, now, is_first=is_first, is_old=alert.id in self._old)
        self._end_what_is_gone(board, now)
        return subscription if has_changed and not is_first else None

    def take(self, level: Level) -> list[AlertMessage]:
        """All that is to be told of one alert of that level, which the client knows from then on; empty when nothing."""
        waiting = self._pending.get(level)
        if not waiting:
            return []
        view, messages = waiting.pop(0)
        self._know(view)
        self._told.add(view.id)
        self._expected.discard(view.id)
        if view.state == "cleared":
            self._forget(view.id)
        return messages

    def _see(self, alert: BoardAlert, now: Instant, *, is_first: bool, is_old: bool) -> None:
        before = self._seen.get(alert.id)
        if before is None and alert.cleared_at is not None and alert.id not in self._expected:
            return
        view = alert.view(now)
        if view.state == "snoozed" and (self._wake_at is None or view.snoozed_until < self._wake_at):  # type: ignore[operator]
            self._wake_at = view.snoozed_until
        told_quietly = is_first and view.state != "open"
        messages = (
            [] if told_quietly else list(self._messages(before, view, now, is_old=is_old, is_reopened=alert.reopened))
        )
        if messages:
            self._pending[view.level].append((view, messages))
        elif view.state == "cleared":
            self._forget(view.id)
        else:
            self._know(view)

    def _messages(
        self, before: AlertView | None, view: AlertView, now: Instant, *, is_old: bool, is_reopened: bool
    ) -> Iterable[AlertMessage]:
        if view.id not in self._expected and not self.subscription.matches(view.level, view.metric):
            return []
        if before is None:
            return _first_words(view, now, is_old=is_old, is_reopened=is_reopened)
        if before.state == view.state == "open" and view.id not in self._told:
            # The subscription lets it in only now; if nothing else has changed it is no news.
            return [AlertNew(alert=view, timestamp=now, replay=view == before)]
        return (kind(alert=view, timestamp=now) for kind in _changes(before, view))

    def _end_what_is_gone(self, board: Board, now: Instant) -> None:
        """An alert that the database does not know any more (it is another one) holds no more."""
        known = {alert.id for alert in board.alerts}
        for alert_id in [alert_id for alert_id in self._seen if alert_id not in known]:
            view = self._seen[alert_id]
            if alert_id in self._told:
                ended = replace(view, state="cleared", cleared_at=now)
                self._pending[view.level].append((ended, [AlertCleared(alert=ended, timestamp=now)]))
            else:
                self._forget(alert_id)

    def _know(self, view: AlertView) -> None:
        self._seen[view.id] = view

    def _forget(self, alert_id: str) -> None:
        self._seen.pop(alert_id, None)
        self._told.discard(alert_id)


def _first_words(view: AlertView, now: Instant, *, is_old: bool, is_reopened: bool) -> list[AlertMessage]:
    """Of an alert that the client has not heard of on this socket."""
    if view.state == "open":
        if is_reopened and not is_old:
            return [AlertUpdated(alert=view, timestamp=now)]
        return [AlertNew(alert=view, timestamp=now, replay=is_old)]
    if view.acknowledged_at is not None:
        return [AlertAcknowledged(alert=view, timestamp=now)]
    return [AlertSnoozed(alert=view, timestamp=now)] if view.state == "snoozed" else []


def _changes(before: AlertView, after: AlertView) -> Iterator[Kind]:
    """What happened in between, as far as it still matters."""
    if after == before:
        return
    acknowledged = after.acknowledged_at is not None and after.acknowledged_at != before.acknowledged_at
    snoozed = after.state == "snoozed" and after.snoozed_until != before.snoozed_until
    cleared = after.state == "cleared"
    if acknowledged:
        yield AlertAcknowledged
    if snoozed:
        yield AlertSnoozed
    if cleared:
        yield AlertCleared
    if not (acknowledged or snoozed or cleared):
        yield AlertUpdated
