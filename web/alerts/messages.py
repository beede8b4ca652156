"""The messages of the notification socket. Source: SPEC 7."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from shared.alerts import AlertMetric, AlertView, Subscription
from shared.snapshot import Instant, Level
from web.transport.messages import Ping, Refresh


class Acknowledge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="acknowledge"):
    """Somebody has seen to the alert. Everybody of the tenant hears of it by AlertAcknowledged."""

    alert_id: str


class Snooze(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="snooze"):
    """Put the alert off: for so many minutes (1 to 10080), or until a moment within seven days; exactly one of them."""

    alert_id: str
    minutes: int | UnsetType = UNSET
    until: Annotated[datetime, msgspec.Meta(tz=True)] | UnsetType = UNSET


class SubscriptionWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Alerts of these levels and of these metrics, both must match; left out or null: any."""

    levels: tuple[Level, ...] | None = None
    metrics: tuple[AlertMetric, ...] | None = None


class Subscribe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="subscribe"):
    """Choose which alerts to be told of, on this and on all later sockets of the same person."""

    subscription: SubscriptionWanted


NotificationMessage = Acknowledge | Snooze | Subscribe | Ping | Refresh


class NotificationsConnected(msgspec.Struct, frozen=True, kw_only=True, tag="notifications.connected"):
    """First message of a notification socket; the open alerts follow as AlertNew, the most severe first."""

    user_id: str
    timestamp: Instant


class AlertNew(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="alert.new"):
    """An alert was raised. replay: it was open before, and this socket has not been told of it yet."""

    alert: AlertView
    timestamp: Instant
    replay: bool = False


class AlertUpdated(msgspec.Struct, frozen=True, kw_only=True, tag="alert.updated"):
    """An alert says something new, is open again, or its snooze has run out."""

    alert: AlertView
    timestamp: Instant


class AlertCleared(msgspec.Struct, frozen=True, kw_only=True, tag="alert.cleared"):
    """The alert's rule does not hold any more, or its day is over."""

    alert: AlertView
    timestamp: Instant


class AlertAcknowledged(msgspec.Struct, frozen=True, kw_only=True, tag="alert.acknowledged"):
    """Somebody has seen to the alert."""

    alert: AlertView
    timestamp: Instant


class AlertSnoozed(msgspec.Struct, frozen=True, kw_only=True, tag="alert.snoozed"):
    """Somebody has put the alert off."""

    alert: AlertView
    timestamp: Instant


AlertMessage = AlertNew | AlertUpdated | AlertCleared | AlertAcknowledged | AlertSnoozed


class SubscriptionUpdated(msgspec.Struct, frozen=True, kw_only=True, tag="subscription.updated"):
    """What this person is told of from now on. Open alerts that it let in follow as AlertNew."""

    subscription: Subscription
