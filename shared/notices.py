"""What travels on the notices channel: plain JSON, one object a message, told apart by its fields.

The promise is "no lost final state", never "no lost notice": a reader that missed some catches up from the store.
"""

from __future__ import annotations

import msgspec

from shared.alerts import Announcement


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something on the channel: a newer snapshot of `tenant` (version; at: when it was written, in milliseconds by Redis'
    clock), its computation failing or gone (status), its alerts changed (alerts: the board's revision), a word for its
    notification sockets, or everybody's without a tenant (event: the message as clients get it), or a heartbeat in
    milliseconds."""

    tenant: str | None = None
    version: str | None = None
    at: int | None = None
    status: str | None = None
    alerts: int | None = None
    event: Announcement | None = None
    heartbeat: int | None = None


_decoder = msgspec.json.Decoder(Notice)


def encode_notice(notice: Notice) -> bytes:
    """JSON bytes of one message."""
    return msgspec.json.encode(notice)


def decode_notice(message: bytes) -> Notice:
    """The message, unknown fields ignored; raises msgspec.DecodeError when it is none of ours."""
    return _decoder.decode(message)
