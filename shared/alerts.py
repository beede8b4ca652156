"""A tenant's alerts as they stand in Redis (the board) and as they go over the wire. Source: SPEC 6, alerts routes.

The board holds what only time and a command change; an alert's state is read off it at the moment of serving.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, get_args

import msgspec
from msgspec import UNSET, UnsetType

from shared.snapshot import Instant, Level, Params, no_params
from shared.thresholds import LIMITS

State = Literal["open", "acknowledged", "snoozed", "cleared"]
AlertMetric = Literal[
    "Daily Revenue",
    "Daily Expenses",
    "Daily Profit",
    "Cash Flow",
    "Pending Invoices",
    "Overdue Invoices",
    "Quote Conversion",
    "Client Activity",
    "System",
    "Dashboard",
]
"""Everything an alert may be about."""

LEVELS: tuple[Level, ...] = ("critical", "warning", "success", "info")
"""Most severe first."""
STATES: tuple[State, ...] = get_args(State)
METRICS: tuple[AlertMetric, ...] = get_args(AlertMetric)
RULES = (*LIMITS, "data_issue", "first_snapshot", "restatement", "computation_failing", "computation_recovered")
"""The rules by which alerts are raised; the first ones begin at a threshold."""
KEPT_FOR = timedelta(days=30)
"""How long a cleared alert is kept."""
LONGEST_SNOOZE = timedelta(minutes=10_080)


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as clients get it. `timestamp` is when it was raised, as in the snapshot."""

    id: str
    level: Level
    message: str
    metric: str
    action_required: bool
    timestamp: Instant
    provisional: bool | UnsetType = UNSET
    rule: str = ""
    params: Params = msgspec.field(default_factory=no_params)
    state: State
    raised_at: Instant
    acknowledged_at: Instant | None
    acknowledged_by: str | None
    snoozed_until: Instant | None
    cleared_at: Instant | None


class BoardAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it stands on the board. reopened: its rule was false in between."""

    id: str
    level: Level
    message: str
    metric: str
    action_required: bool
    provisional: bool | UnsetType = UNSET
    rule: str = ""
    params: Params = msgspec.field(default_factory=no_params)
    raised_at: Instant
    reopened: bool = False
    acknowledged_at: Instant | None = None
    acknowledged_by: str | None = None
    snoozed_until: Instant | None = None
    cleared_at: Instant | None = None

    def state(self, now: Instant) -> State:
        """Its state at that moment. Instants compare as text: they are all UTC, in one format."""
        if self.cleared_at is not None:
            return "cleared"
        if self.acknowledged_at is not None:
            return "acknowledged"
        return "snoozed" if self.snoozed_until is not None and self.snoozed_until > now else "open"

    def view(self, now: Instant) -> AlertView:
        """The alert as a client gets it at that moment."""
        return AlertView(
            id=self.id,
            level=self.level,
            message=self.message,
            metric=self.metric,
            action_required=self.action_required,
            timestamp=self.raised_at,
            provisional=self.provisional,
            rule=self.rule,
            params=self.params,
            state=self.state(now),
            raised_at=self.raised_at,
            acknowledged_at=self.acknowledged_at,
            acknowledged_by=self.acknowledged_by,
            snoozed_until=self.snoozed_until,
            cleared_at=self.cleared_at,
        )


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants to be told of: alerts of these levels and these metrics, both must match. null: any."""

    levels: tuple[Level, ...] | None = None
    metrics: tuple[AlertMetric, ...] | None = None

    def matches(self, level: Level, metric: str) -> bool:
        """Whether an alert is one of those."""
        return (self.levels is None or level in self.levels) and (self.metrics is None or metric in self.metrics)


EVERYTHING = Subscription()


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's alerts, newest first, and its people's subscriptions by subject."""

    alerts: tuple[BoardAlert, ...]
    subscriptions: dict[str, Subscription]

    def find(self, alert_id: str) -> BoardAlert | None:
        """The alert of that id."""
        return next((alert for alert in self.alerts if alert.id == alert_id), None)


class Announcement(msgspec.Struct, frozen=True, kw_only=True, tag="notification.new"):
    """A message of the operator to every open notification socket. It is not stored."""

    id: str
    level: Level
    message: str
    timestamp: Instant


_board_decoder = msgspec.json.Decoder(Board)


def decode_board(body: bytes) -> Board:
    """The board in `body`, unknown fields ignored."""
    return _board_decoder.decode(body)


def encode_board(board: Board) -> bytes:
    """JSON bytes of a board."""
    return msgspec.json.encode(board)
