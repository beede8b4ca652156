"""Text frames as the server sends them, whole: one for one socket, and one message for many, made once in each form."""

from __future__ import annotations

import struct
from functools import cached_property
from weakref import WeakKeyDictionary

from web.transport.compression import Compression, deflated

# Readers who skip messages have different ones before; beyond so many the others get the message by itself.
MOST_DIFFERENCES = 16


def text_frame(payload: bytes, *, is_compressed: bool = False) -> bytes:
    """One unfragmented text frame; the same bytes serve any number of sockets."""
    first, length = 0xC1 if is_compressed else 0x81, len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65536:
        return struct.pack("!BBH", first, 126, length) + payload
    return struct.pack("!BBQ", first, 127, length) + payload


class SharedMessage:
    """One message for many sockets. Equal only to itself: the same bytes made twice are two messages."""

    def __init__(self, payload: bytes) -> None:
        self.plain = text_frame(payload)
        self._payload = memoryview(self.plain)[len(self.plain) - len(payload) :]
        # Weak, or each message would keep all that came before it.
        self._differences: WeakKeyDictionary[SharedMessage, bytes] = WeakKeyDictionary()

    def frame(self, compression: Compression | None, *, after: SharedMessage | None) -> bytes:
        """The frame for a client with whom this was agreed, and whose last one of these messages was `after`."""
        if compression is None:
            return self.plain
        if compression is Compression.ALONE or after is None:
            return self._alone
        found = self._differences.get(after)
        if found is None:
            if len(self._differences) >= MOST_DIFFERENCES:
                return self._alone
            found = text_frame(deflated(self._payload, after=after._payload), is_compressed=True)
            self._differences[after] = found
        return found

    @cached_property
    def _alone(self) -> bytes:
        return text_frame(deflated(self._payload), is_compressed=True)
