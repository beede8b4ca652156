"""The messages of sockets and streams: their types, and the check of what a client sends.

Source: SPEC 6 (stream), SPEC 7 (sockets). Server messages are structs so that the AsyncAPI document can be made of them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from shared import strict_json
from shared.errors import DaybookError
from shared.snapshot import Instant, Served

MAX_DEPTH = 8


class BadMessage(DaybookError):
    """A client's message is not one of ours. Answer with an error message; nothing else has happened."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a dashboard socket lets its client choose: seconds between updates at the latest."""

    update_interval: int


class Configure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="configure"):
    """Choose the update interval."""

    config: Config


class RequestUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="request_update"):
    """Send the newest snapshot now."""


class Ping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="ping"):
    """Answered by Pong."""


class Refresh(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="refresh"):
    """A newer token of the same subject and tenant, so that the socket outlives the one it was opened with."""

    token: str


DashboardMessage = Configure | RequestUpdate | Ping | Refresh


class ConnectionEstablished(msgspec.Struct, frozen=True, kw_only=True, tag="connection.established"):
    """First message of a dashboard socket."""

    user_id: str
    update_interval: int
    timestamp: Instant


class DashboardUpdate(msgspec.Struct, frozen=True, kw_only=True, tag="dashboard.update"):
    """The newest snapshot."""

    data: Served


class DashboardStatus(msgspec.Struct, frozen=True, kw_only=True, tag="dashboard.status"):
    """The data stopped being fresh (why, and since when), or is fresh again (reason and since null)."""

    stale: bool
    since: Instant | None
    reason: str | None


class ConfigurationUpdated(msgspec.Struct, frozen=True, kw_only=True, tag="configuration.updated"):
    """The configuration as it is now."""

    config: Config


class Pong(msgspec.Struct, frozen=True, kw_only=True, tag="pong"):
    """Answer to Ping."""

    timestamp: Instant


class TokenRefreshed(msgspec.Struct, frozen=True, kw_only=True, tag="token.refreshed"):
    """The socket now lives until the new token expires."""

    expires_at: Instant


class Error(msgspec.Struct, frozen=True, kw_only=True, tag="error"):
    """The last message was not accepted; nothing changed."""

    code: str
    message: str


class StreamConnection(msgspec.Struct, frozen=True, kw_only=True, tag="connection"):
    """First event of a stream."""

    user_id: str
    interval: int
    max_updates: int
    timestamp: Instant


class StreamUpdate(Served, frozen=True, kw_only=True, tag="dashboard_update"):
    """A snapshot, numbered from 1 within this connection."""

    sequence: int


class StreamStatus(msgspec.Struct, frozen=True, kw_only=True, tag="status"):
    """The same as DashboardStatus, for streams."""

    stale: bool
    since: Instant | None
    reason: str | None


class StreamEnd(msgspec.Struct, frozen=True, kw_only=True, tag="stream_end"):
    """Last event of a stream; the client may open another one."""

    reason: Literal["max_updates", "token_expired", "restarting", "gone"]
    sequence: int


def parse(data: bytes, *, is_text: bool, kind: Any) -> Any:
    """The message in `data`, an instance of one of the tagged structs in the union `kind`; raises BadMessage."""
    if not is_text:
        raise BadMessage("binary_message", "messages are JSON text")
    body = _load(data)
    if not isinstance(body, dict):
        raise BadMessage("not_an_object", "a message is one JSON object")
    if not isinstance(body.get("type"), str):
        raise BadMessage("unknown_type", "a message has a text field `type`")
    if _deeper_than(MAX_DEPTH, body):
        raise BadMessage("too_deep", f"a message nests at most {MAX_DEPTH} levels")
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        unknown = str(error).startswith("Invalid value") and str(error).endswith("`$.type`")
        raise BadMessage("unknown_type" if unknown else "invalid_message", str(error)) from error


def _load(data: bytes) -> Any:
    try:
        return strict_json.loads(data)
    except RecursionError as error:
        raise BadMessage("too_deep", f"a message nests at most {MAX_DEPTH} levels") from error
    except strict_json.DuplicateName as error:
        raise BadMessage("duplicate_key", "a message names each field once") from error
    except strict_json.NotANumber as error:
        raise BadMessage("invalid_json", str(error)) from error
    except ValueError as error:
        raise BadMessage("invalid_json", "the message is not valid JSON") from error


def _deeper_than(limit: int, value: Any) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    children = value.values() if isinstance(value, dict) else value
    return limit == 0 or any(_deeper_than(limit - 1, child) for child in children)
