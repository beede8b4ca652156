"""permessage-deflate (RFC 7692) for one server with many sockets: what is agreed with a client, and what a client sends.

No socket has a compressor. What goes to many of them is compressed once for all (web/transport/frames.py); what comes from a
client is inflated whole, within the limit of any message, by an inflater that is thrown away afterwards.
"""

from __future__ import annotations

import zlib
from enum import Enum

from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

MAX_MESSAGE_BYTES = 64 * 1024

_NAME = "permessage-deflate"
_FLAGS = frozenset({"client_no_context_takeover", "server_no_context_takeover"})
_WINDOWS = frozenset(str(bits) for bits in range(8, 16))
# What a sender takes from the end of each compressed message.
_TAIL = b"\x00\x00\xff\xff"
# What is left of a message that ends with a final block: RFC 7692, 7.2.3.4.
_AFTER_FINAL_BLOCK = b"\x00" + _TAIL


class Compression(Enum):
    """How a client is sent what many are sent. The value is what the handshake answers."""

    AFTER = f"{_NAME}; client_no_context_takeover"
    """The client remembers the message before, so that the next one says only what is different."""
    ALONE = f"{_NAME}; client_no_context_takeover; server_no_context_takeover"
    """Each message by itself, as the client wants it."""


def agree(offers: str | None) -> Compression | None:
    """The answer to a client's Sec-WebSocket-Extensions: its first offer that can be met, None where there is none.

    A smaller window than the usual one for what we send would need a compression of its own: such an offer is passed over.
    """
    for offer in (offers or "").split(","):
        name, *parameters = (part.strip() for part in offer.split(";"))
        if name == _NAME and (agreed := _met(parameters)) is not None:
            return agreed
    return None


def _met(parameters: list[str]) -> Compression | None:
    seen = set()
    for parameter in parameters:
        name, has_value, value = (part.strip() for part in parameter.partition("="))
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        is_met = (
            (name in _FLAGS and not has_value)
            or (name == "client_max_window_bits" and (value in _WINDOWS or not has_value))
            or (name == "server_max_window_bits" and value == "15")
        )
        if not is_met or name in seen:
            return None
        seen.add(name)
    return Compression.ALONE if "server_no_context_takeover" in seen else Compression.AFTER


def deflated(payload: bytes | memoryview, *, after: bytes | memoryview = b"") -> bytes:
    """The payload of a compressed message. With `after`, for a client whose last compressed message was that one."""
    # Few kilobytes: the smaller tables are filled sooner than the larger ones, and find the same.
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 6, zlib.Z_DEFAULT_STRATEGY, after)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[: -len(_TAIL)]


def _inflated(data: bytes) -> bytes | CloseReason:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        message = inflater.decompress(data + _TAIL, MAX_MESSAGE_BYTES + 1)
    except zlib.error:
        return CloseReason.INVALID_FRAME_PAYLOAD_DATA
    if len(message) > MAX_MESSAGE_BYTES:
        return CloseReason.MESSAGE_TOO_BIG
    if inflater.unused_data not in (b"", _AFTER_FINAL_BLOCK):
        return CloseReason.INVALID_FRAME_PAYLOAD_DATA
    return message


class SizeLimit(Extension):
    """Refuses a frame by its header, before any of its payload is kept. Without state: one serves every socket."""

    name = "size-limit"

    def enabled(self) -> bool:
        return True

    def offer(self) -> bool:
        return False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        if payload_length > MAX_MESSAGE_BYTES:
            return CloseReason.MESSAGE_TOO_BIG
        return RsvBits(False, False, False)


class Inflate(SizeLimit):
    """The same for one socket whose client may compress: keeps what came of a message until it is whole, then inflates it."""

    name = _NAME

    def __init__(self) -> None:
        self._kept: bytearray | None = None
        self._is_control = False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        answer = super().frame_inbound_header(proto, opcode, rsv, payload_length)
        if isinstance(answer, CloseReason):
            return answer
        self._is_control = opcode.iscontrol()
        if rsv.rsv1:
            # Only the first frame of a message says that it is compressed.
            if self._is_control or opcode is Opcode.CONTINUATION:
                return CloseReason.PROTOCOL_ERROR
            self._kept = bytearray()
        return RsvBits(True, False, False)

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        if self._kept is None or self._is_control:
            return data
        self._kept += data
        return CloseReason.MESSAGE_TOO_BIG if len(self._kept) > MAX_MESSAGE_BYTES else b""

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | CloseReason | None:
        if self._kept is None or self._is_control or not fin:
            return None
        data, self._kept = bytes(self._kept), None
        return _inflated(data)
