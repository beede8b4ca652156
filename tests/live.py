"""Clients for sockets and streams, close to the wire: they can do what no decent client does."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from tests.patience import PATIENCE
from tests.tokens import token

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
WITHIN_S = 10.0


def frame(
    payload: bytes = b"",
    *,
    opcode: int = TEXT,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    length: int | None = None,
) -> bytes:
    """A client's frame, valid unless told otherwise; `length` announces another length than the payload's."""
    size = len(payload) if length is None else length
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head = bytes((first, mask_bit | size))
    elif size < 65536:
        head = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


class Wire:
    """A TCP connection read piece by piece, with a deadline; under TLS where `authority` says whom to believe."""

    def __init__(self, port: int, *, receive_buffer: int | None = None, authority: Path | None = None) -> None:
        self.socket = socket.socket()
        self.host = f"{'localhost' if authority else '127.0.0.1'}:{port}"
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(WITHIN_S * PATIENCE)
        self._held = b""
        with self.closed_on_failure():
            self.socket.connect(("127.0.0.1", port))
            if authority:
                trusting = ssl.create_default_context(cafile=authority)
                self.socket = trusting.wrap_socket(self.socket, server_hostname="localhost")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    @contextlib.contextmanager
    def closed_on_failure(self) -> Iterator[None]:
        """Nobody holds what could not be opened."""
        try:
            yield
        except BaseException:
            self.socket.close()
            raise

    def read(self, size: int) -> bytes:
        """Exactly so many bytes; ConnectionError at the end of the stream."""
        while len(self._held) < size:
            self._more()
        data, self._held = self._held[:size], self._held[size:]
        return data

    def read_until(self, end: bytes) -> bytes:
        """Everything up to and with `end`."""
        while end not in self._held:
            self._more()
        data, _, self._held = self._held.partition(end)
        return data + end

    def _more(self) -> None:
        piece = self.socket.recv(65_536)
        if not piece:
            raise ConnectionError("closed by the server")
        self._held += piece


class Closed(Exception):
    """The server closed the socket with this code."""

    def __init__(self, code: int | None) -> None:
        super().__init__(str(code))
        self.code = code


class Socket(Wire):
    """An open WebSocket; answers pings unless `pongs` is off."""

    def __init__(
        self,
        port: int,
        tenant_id: str,
        *,
        jwt: str | None = None,
        receive_buffer: int | None = None,
        pongs: bool = True,
        path: str = "/ws/dashboard/{}/",
        headers: tuple[str, ...] = (),
        authority: Path | None = None,
    ) -> None:
        super().__init__(port, receive_buffer=receive_buffer, authority=authority)
        self._pongs = pongs
        with self.closed_on_failure():
            authorization = f"Authorization: Bearer {jwt or token(tenant_id)}"
            self.opened = upgrade(self, path.format(tenant_id), authorization, *headers)
            assert " 101 " in self.opened, self.opened

    def send(self, message: Any) -> None:
        """A message as JSON, or bytes as they are, in a text frame."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.socket.sendall(frame(data))

    def receive_frame(self) -> tuple[int, bytes]:
        """The next frame, which must be whole and unmasked."""
        first, payload = self.read_frame()
        assert first & 0xF0 == 0x80, f"fragmented, or a reserved bit: {first:#x}"
        return first & 0x0F, payload

    def read_frame(self) -> tuple[int, bytes]:
        """The first byte and the payload of the next frame."""
        first, second = self.read(2)
        assert not second & 0x80, "masked by the server"
        size = {
            126: lambda: struct.unpack("!H", self.read(2))[0],
            127: lambda: struct.unpack("!Q", self.read(8))[0],
        }.get(second, lambda: second)()
        return first, self.read(size)

    def receive(self) -> dict[str, Any]:
        """The next message; raises Closed when there is none."""
        while True:
            opcode, payload = self.receive_frame()
            if opcode == TEXT:
                message: dict[str, Any] = json.loads(payload)
                return message
            if opcode == CLOSE:
                raise Closed(struct.unpack("!H", payload[:2])[0] if payload else None)
            if opcode == PING and self._pongs:
                self.socket.sendall(frame(payload, opcode=PONG))

    def receive_type(
        self, kind: str, *, where: Callable[[dict[str, Any]], bool] = lambda _: True, within_s: float = WITHIN_S
    ) -> dict[str, Any]:
        """The next message of this type, whatever comes before it."""
        deadline = time.monotonic() + within_s * PATIENCE
        while time.monotonic() < deadline:
            if (message := self.receive())["type"] == kind and where(message):
                return message
        raise TimeoutError(kind)

    def cut_off(self) -> None:
        """Read until the connection ends, with or without a close frame."""
        with contextlib.suppress(ConnectionError, Closed):
            while True:
                self.receive()

    def closed(self) -> int | None:
        """The close code that ends it, whatever comes before it."""
        try:
            while True:
                self.receive()
        except Closed as end:
            return end.code


def upgrade(wire: Wire, path: str, *headers: str, leave_out: tuple[str, ...] = (), **changed: str) -> str:
    """Ask for an upgrade and return the head of the answer; `changed` gives headers other values (Upgrade=…)."""
    given = {
        "Host": wire.host,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in given.items() if k not in leave_out), *headers]
    wire.socket.sendall("\r\n".join([*lines, "", ""]).encode())
    return wire.read_until(b"\r\n\r\n").decode()


class Events(Wire):
    """An open SSE stream."""

    def __init__(
        self,
        port: int,
        tenant_id: str,
        query: str = "",
        *headers: str,
        jwt: str | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        super().__init__(port, receive_buffer=receive_buffer)
        lines = [
            f"GET /api/dashboard/streaming/aggregate/{query} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"Authorization: Bearer {jwt or token(tenant_id)}",
            *headers,
        ]
        self._text = b""
        self.ended = False
        with self.closed_on_failure():
            self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
            self.head = self.read_until(b"\r\n\r\n").decode()

    def block(self) -> bytes:
        """The next block, comments included; ConnectionError when the stream ended properly or not (see `ended`)."""
        while b"\n\n" not in self._text:
            size = int(self.read_until(b"\r\n"), 16)
            self._text += self.read(size)
            self.read(2)
            if size == 0:
                self.ended = True
                raise ConnectionError("the stream ended")
        block, _, self._text = self._text.partition(b"\n\n")
        return block

    def receive(self) -> dict[str, Any]:
        """The next event's data, with `id` and `retry` under these names if it carries them."""
        while True:
            fields = dict(line.split(b": ", 1) for line in self.block().split(b"\n") if not line.startswith(b":"))
            if b"data" in fields:
                extra = {name: fields[name.encode()].decode() for name in ("id", "retry") if name.encode() in fields}
                return dict(json.loads(fields[b"data"])) | {f"_{name}": value for name, value in extra.items()}

    def cut_off(self) -> None:
        """Read until the connection ends; `ended` tells whether the stream did, too."""
        with contextlib.suppress(ConnectionError):
            while True:
                self.receive()

    def receive_type(self, kind: str) -> dict[str, Any]:
        """The next event of this type."""
        deadline = time.monotonic() + WITHIN_S * PATIENCE
        while time.monotonic() < deadline:
            if (event := self.receive())["type"] == kind:
                return event
        raise TimeoutError(kind)
