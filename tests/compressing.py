"""A client that offers permessage-deflate and inflates as a browser does, by zlib alone: nothing of ours is on its side."""

from __future__ import annotations

import json
import zlib
from typing import Any

from tests.live import TEXT, Socket, frame

BROWSER = "permessage-deflate; client_max_window_bits"
RSV1 = 4
_TAIL = b"\x00\x00\xff\xff"


def deflate(data: bytes) -> bytes:
    """As a client that keeps nothing compresses a message."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[: -len(_TAIL)]


class CompressingSocket(Socket):
    """A socket that agreed on compression. `sizes` and `texts`: of the compressed messages, as they came and inflated."""

    def __init__(self, port: int, tenant_id: str, *, offer: str = BROWSER, **options: Any) -> None:
        super().__init__(port, tenant_id, headers=(f"Sec-WebSocket-Extensions: {offer}",), **options)
        (answer,) = (line for line in self.opened.split("\r\n") if line.lower().startswith("sec-websocket-extensions:"))
        self.agreed = answer.partition(":")[2].strip()
        self.sizes: list[int] = []
        self.texts: list[bytes] = []
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)

    def send(self, message: Any) -> None:
        """Compressed, whatever its length."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.socket.sendall(frame(deflate(data), rsv=RSV1))

    def receive_frame(self) -> tuple[int, bytes]:
        first, payload = self.read_frame()
        if first != 0xC0 | TEXT:
            assert first & 0xF0 == 0x80, f"fragmented, or another bit: {first:#x}"
            return first & 0x0F, payload
        if "server_no_context_takeover" in self.agreed:
            self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self.sizes.append(len(payload))
        self.texts.append(self._inflater.decompress(payload + _TAIL))
        return TEXT, self.texts[-1]
