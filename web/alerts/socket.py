"""WebSocket /ws/dashboard/notifications/{user_id}/: alerts as they come and go, and what people do with them. SPEC 7."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.alerts import LEVELS, METRICS, BoardAlert, Subscription
from shared.errors import StoreUnavailable
from web.alerts.boards import Boards
from web.alerts.feed import AlertFeed
from web.alerts.mailbox import BoardMailbox
from web.alerts.messages import (
    Acknowledge,
    AlertAcknowledged,
    NotificationMessage,
    NotificationsConnected,
    Snooze,
    Subscribe,
    SubscriptionUpdated,
    SubscriptionWanted,
)
from web.alerts.snooze import snoozed_until
from web.api.session import Session, SessionParts, status
from web.api.socket import Sockets
from web.http.clock import now
from web.live.freshness import Staleness
from web.redis.commands import Commands
from web.transport.messages import BadMessage, Error

# Nothing falls due by itself but the end of a snooze; a limit for clocks that jump.
_LONGEST_SLEEP_S = 60.0
_AWAY = Error(code="unavailable", message="this cannot be done at the moment; try again soon")


class NotificationSession(Session):
    """Sends the open alerts at once, the most severe first, and from then on whatever becomes of them."""

    kind = NotificationMessage

    def __init__(self, parts: SessionParts, *, boards: Boards, mailbox: BoardMailbox, commands: Commands) -> None:
        super().__init__(parts)
        self._boards = boards
        self._board_mailbox = mailbox
        self._commands = commands
        self._feed = AlertFeed(self.caller.subject)

    def open(self) -> None:
        self.send(NotificationsConnected(user_id=self.caller.tenant_id, timestamp=now()))
        self.deliver()

    def deliver(self) -> None:
        while (news := self.mailbox.take()) is not None:
            if isinstance(news, Staleness):
                self.send(status(news))
        # After each message anew: a critical one that arrives meanwhile is the next.
        while messages := self._next():
            for message in messages:
                self.send(message)

    def due_in_s(self) -> float:
        wake_at = self._feed.wake_at
        if wake_at is None:
            return _LONGEST_SLEEP_S
        return min(max(0.0, datetime.fromisoformat(wake_at).timestamp() - time.time()), _LONGEST_SLEEP_S)

    def answer(self, message: Any) -> None:
        try:
            if isinstance(message, Acknowledge):
                self._acknowledge(message.alert_id)
            elif isinstance(message, Snooze):
                self._snooze(message)
            elif isinstance(message, Subscribe):
                self._subscribe(message.subscription)
        except StoreUnavailable:
            # Not the client's fault, so it does not count as a bad message.
            self.send(_AWAY)

    def _next(self) -> list[msgspec.Struct]:
        board = self._board_mailbox.board
        if board is not None and (changed := self._feed.look(board, now())) is not None:
            return [SubscriptionUpdated(subscription=changed)]
        for level in LEVELS:
            if announcement := self._board_mailbox.take(level):
                return [announcement]
            if messages := self._feed.take(level):
                return [*messages]
        return []

    def _acknowledge(self, alert_id: str) -> None:
        alert = self._find(alert_id)
        if alert.acknowledged_at is not None:
            self.send(AlertAcknowledged(alert=alert.view(now()), timestamp=now()))
            return
        self._feed.expect(alert_id)
        self._commands.acknowledge_alert(self.caller.tenant_id, alert_id, self.caller.subject)

    def _snooze(self, message: Snooze) -> None:
        try:
            until = snoozed_until(message.minutes, message.until, now=datetime.now(UTC))
        except ValueError as error:
            raise BadMessage("out_of_range", str(error)) from error
        if self._find(message.alert_id).cleared_at is not None:
            raise BadMessage("cleared", "the alert is over")
        self._feed.expect(message.alert_id)
        self._commands.snooze_alert(self.caller.tenant_id, message.alert_id, self.caller.subject, until)

    def _subscribe(self, message: SubscriptionWanted) -> None:
        # In one order and each once, so that equal wishes are equal.
        wanted = Subscription(
            levels=None if message.levels is None else tuple(level for level in LEVELS if level in message.levels),
            metrics=None if message.metrics is None else tuple(name for name in METRICS if name in message.metrics),
        )
        if wanted == self._feed.subscription:
            self.send(SubscriptionUpdated(subscription=wanted))
        else:
            self._commands.subscribe(self.caller.tenant_id, self.caller.subject, wanted)

    def _find(self, alert_id: str) -> BoardAlert:
        alert = self._boards.find(self._board_mailbox, alert_id)
        if alert is None:
            raise BadMessage("not_found", "there is no such alert")
        return alert


def register(sockets: Sockets, *, boards: Boards, commands: Commands) -> None:
    """The notification socket."""

    def talk(parts: SessionParts) -> None:
        view = parts.lifetime.caller.view
        with boards.open(parts.mailbox.tenant_id, parts.mailbox.wake, view) as mailbox:
            NotificationSession(parts, boards=boards, mailbox=mailbox, commands=commands).run()

    sockets.add("notifications", "/ws/dashboard/notifications/<user_id>/", talk)
