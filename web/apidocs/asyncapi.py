"""The AsyncAPI 3.0 document: sockets and stream, their messages and the codes that sockets close with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.alerts import Announcement
from shared.release import release
from shared.settings import Intervals
from web.access.auth import COOKIE, TICKET_PARAMETER
from web.alerts.messages import (
    Acknowledge,
    AlertAcknowledged,
    AlertCleared,
    AlertNew,
    AlertSnoozed,
    AlertUpdated,
    NotificationMessage,
    NotificationsConnected,
    Snooze,
    Subscribe,
    SubscriptionUpdated,
)
from web.api.session import BAD_IN_A_ROW
from web.apidocs.schemas import component_schemas, described, members, reference, tag_of
from web.transport import messages
from web.transport.close_codes import CLOSE_CODES, TOO_MANY
from web.transport.messages import (
    ConfigurationUpdated,
    ConnectionEstablished,
    DashboardMessage,
    DashboardStatus,
    DashboardUpdate,
    Error,
    Pong,
    StreamConnection,
    StreamEnd,
    StreamStatus,
    StreamUpdate,
    TokenRefreshed,
)

Struct = type[msgspec.Struct]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One address. `replies` are the answers to the client's messages, all of them among `sent`."""

    address: str
    title: str
    description: str
    sent: tuple[Struct, ...]
    received: tuple[Struct, ...] = ()
    replies: Mapping[Struct, Struct] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_socket(self) -> bool:
        return bool(self.received)


_REPLIES: dict[Struct, Struct] = {messages.Ping: Pong, messages.Refresh: TokenRefreshed}

_ABOUT = f"""\
The same snapshots as `GET /api/dashboard/realtime/aggregate/` (see [OpenAPI](/openapi.json)), as they change.

The promise is "no lost final state": a slow reader skips versions, and always ends with the newest. Versions never go back.
A message of a client is one JSON object of at most 64 kB; anything else is answered with `error`, and the socket stays
open. After {BAD_IN_A_ROW} errors in a row it is closed with {TOO_MANY.code}.
"""


def channels(intervals: Intervals) -> dict[str, Channel]:
    """Everything that stays open."""
    interval = {"type": "integer", "minimum": intervals.min_s, "maximum": intervals.max_s}
    return {
        "dashboard": Channel(
            address="/ws/dashboard/{user_id}/",
            title="Dashboard",
            description=f"First `connection.established`, then `dashboard.update` at once, at every change, and every "
            f"`update_interval` seconds at the latest ({intervals.default_s} unless configured, {intervals.min_s} to "
            f"{intervals.max_s}). Who offers `permessage-deflate` gets snapshots compressed.",
            sent=(
                ConnectionEstablished,
                DashboardUpdate,
                DashboardStatus,
                ConfigurationUpdated,
                Pong,
                TokenRefreshed,
                Error,
            ),
            received=members(DashboardMessage),
            replies={
                **_REPLIES,
                messages.Configure: ConfigurationUpdated,
                messages.RequestUpdate: DashboardUpdate,
            },
        ),
        "notifications": Channel(
            address="/ws/dashboard/notifications/{user_id}/",
            title="Notifications",
            description="First `notifications.connected`, then every open alert as `alert.new` with `replay: true`, the most "
            "severe first, then what becomes of them, and announcements of the operator. Who reconnects misses nothing that "
            "is open and is not told again of what somebody acknowledged or snoozed.",
            sent=(
                NotificationsConnected,
                AlertNew,
                AlertUpdated,
                AlertCleared,
                AlertAcknowledged,
                AlertSnoozed,
                Announcement,
                SubscriptionUpdated,
                DashboardStatus,
                Pong,
                TokenRefreshed,
                Error,
            ),
            received=members(NotificationMessage),
            replies={
                **_REPLIES,
                Acknowledge: AlertAcknowledged,
                Snooze: AlertSnoozed,
                Subscribe: SubscriptionUpdated,
            },
        ),
        "stream": Channel(
            address="/api/dashboard/streaming/aggregate/",
            title="Stream",
            description="Server-sent events: each message is one event's `data`. `id` is the snapshot's version; with a "
            "`Last-Event-ID` that is current, the next change comes first. A comment every 15 s keeps it alive.",
            sent=(StreamConnection, StreamUpdate, StreamStatus, StreamEnd),
            query={
                "interval": {**interval, "default": intervals.default_s},
                "max_updates": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
            },
        ),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a client found the server."""

    host: str
    is_secure: bool = False
    base_path: str = ""

    def described(self, scheme: str) -> dict[str, Any]:
        """As the document has it, for ws or http."""
        below = {"pathname": self.base_path} if self.base_path else {}
        return {"host": self.host, **below, "protocol": scheme + "s" * self.is_secure, "security": _SECURITY}


def asyncapi_document(intervals: Intervals, server: Server) -> dict[str, Any]:
    """The document, for a client that found the server there."""
    known = channels(intervals)
    structs = sorted({kind for channel in known.values() for kind in (*channel.sent, *channel.received)}, key=_name)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Daybook", "version": release(), "description": _ABOUT},
        "defaultContentType": "application/json",
        "servers": {
            "sockets": server.described("ws"),
            "streams": server.described("http"),
        },
        "channels": {name: _channel(channel) for name, channel in known.items()},
        "operations": {
            key: operation for name, channel in known.items() for key, operation in _operations(name, channel).items()
        },
        "components": {
            "messages": {_name(kind): _message(kind) for kind in structs},
            "schemas": component_schemas(structs),
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "cookie": {
        "type": "httpApiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The same token in a cookie, from our own or an allowed Origin only.",
    },
    "ticket": {
        "type": "httpApiKey",
        "in": "query",
        "name": TICKET_PARAMETER,
        "description": "A one-time ticket from POST /api/dashboard/tickets/, for this very path, good for 30 s.",
    },
}
_SECURITY = [{"$ref": f"#/components/securitySchemes/{name}"} for name in _SECURITY_SCHEMES]


def _channel(channel: Channel) -> dict[str, Any]:
    made: dict[str, Any] = {
        "address": channel.address,
        "title": channel.title,
        "description": channel.description,
        "servers": [{"$ref": "#/servers/sockets" if channel.is_socket else "#/servers/streams"}],
        "messages": {
            _name(kind): {"$ref": f"#/components/messages/{_name(kind)}"} for kind in (*channel.sent, *channel.received)
        },
    }
    if "{user_id}" in channel.address:
        made["parameters"] = {"user_id": {"description": "The tenant; only the token's own exists."}}
    if channel.is_socket:
        made["bindings"] = {"ws": {"method": "GET"}}
        made["x-close-codes"] = [
            {"code": end.code, "meaning": end.meaning, "client_should": end.client_should} for end in CLOSE_CODES
        ]
    if channel.query:
        made["x-query"] = dict(channel.query)
    return made


def _operations(name: str, channel: Channel) -> dict[str, dict[str, Any]]:
    """One for all that the server sends, and one for each message that it takes."""
    own = {"$ref": f"#/channels/{name}"}
    made = {f"{name}.send": {"action": "send", "channel": own, "messages": [_in(name, kind) for kind in channel.sent]}}
    for kind in channel.received:
        operation = {"action": "receive", "channel": own, "messages": [_in(name, kind)]}
        if kind in channel.replies:
            operation["reply"] = {"channel": own, "messages": [_in(name, channel.replies[kind]), _in(name, Error)]}
        made[f"{name}.{tag_of(kind)}"] = operation
    return made


def _in(channel: str, kind: Struct) -> dict[str, str]:
    return {"$ref": f"#/channels/{channel}/messages/{_name(kind)}"}


def _message(kind: Struct) -> dict[str, Any]:
    return {"name": tag_of(kind), "title": tag_of(kind), "summary": described(kind), "payload": reference(kind)}


def _name(kind: Struct) -> str:
    return kind.__name__
