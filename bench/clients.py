"""Many WebSocket clients in one process: they read, answer pings, and note when each message came, and how long it was."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Any

from tests.live import CLOSE, PING, PONG, TEXT, frame
from tests.tokens import token

Heard = Callable[["Client", dict[str, Any]], None]


class Client(asyncio.Protocol):
    """One socket of a tenant; `heard` gets every message but the first.

    With `offer`, a Sec-WebSocket-Extensions, what comes compressed is counted and not inflated: nothing is heard of it.
    """

    def __init__(self, port: int, tenant_id: str, heard: Heard | None, offer: str | None = None) -> None:
        self.tenant_id = tenant_id
        self.bytes = 0
        self._offer = offer
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.frames = 0
        self.arrived = 0.0  # time.perf_counter() of the newest message
        self.closed: int | None = None
        self._port = port
        self._heard = heard
        self._held = bytearray()
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET /ws/dashboard/{self.tenant_id}/ HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            f"Authorization: Bearer {token(self.tenant_id)}",
            *([f"Sec-WebSocket-Extensions: {self._offer}"] if self._offer else []),
        )
        transport.write("\r\n".join([*head, "", ""]).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(exc or ConnectionError(bytes(self._held[:300]).decode()))

    def data_received(self, data: bytes) -> None:
        self._held += data
        if not self._upgraded:
            if b"\r\n\r\n" not in self._held:
                return
            head, _, rest = bytes(self._held).partition(b"\r\n\r\n")
            if b" 101 " not in head:
                self._transport.close()
                return
            self._held, self._upgraded = bytearray(rest), True
        while (end := self._frame_end()) is not None:
            opcode, payload = self._held[0] & 0x0F, bytes(self._held[end[0] : end[1]])
            del self._held[: end[1]]
            self._take(opcode, payload)

    def _frame_end(self) -> tuple[int, int] | None:
        """Where the payload of the first frame held begins and ends; None while it is not complete."""
        held = self._held
        if len(held) < 10 and (len(held) < 2 or len(held) < 2 + (held[1] if held[1] < 126 else 8)):
            return None
        start, size = 2, held[1]
        if size == 126:
            start, size = 4, struct.unpack_from("!H", held, 2)[0]
        elif size == 127:
            start, size = 10, struct.unpack_from("!Q", held, 2)[0]
        return (start, start + size) if len(held) >= start + size else None

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            self.frames += 1
            self.arrived = time.perf_counter()
            self.bytes += len(payload)
            if not self.opened.done():
                self.opened.set_result(None)
            elif self._heard:
                self._heard(self, json.loads(payload))
        elif opcode == PING:
            self._transport.write(frame(payload, opcode=PONG))
        elif opcode == CLOSE:
            self.closed = struct.unpack("!H", payload[:2])[0] if payload else 1005

    def stop_reading(self) -> None:
        """From now on whatever comes stays in the kernel's buffers."""
        self._transport.pause_reading()

    def leave(self) -> None:
        self._transport.abort()


async def connect(
    port: int,
    tenant_id: str,
    heard: Heard | None = None,
    *,
    receive_buffer: int | None = None,
    offer: str | None = None,
) -> Client:
    """An open socket: its first message has come."""
    raw = socket.socket()
    raw.setblocking(False)
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", port))
    _, client = await loop.create_connection(lambda: Client(port, tenant_id, heard, offer), sock=raw)
    await client.opened
    return client


async def connect_all(
    port: int, tenant_ids: Iterable[str], heard: Heard | None = None, *, at_once: int = 50, offer: str | None = None
) -> list[Client]:
    """One socket for each id given, so many handshakes at a time."""
    turn = asyncio.Semaphore(at_once)

    async def one(tenant_id: str) -> Client:
        async with turn:
            return await connect(port, tenant_id, heard, offer=offer)

    return list(await asyncio.gather(*(one(tenant_id) for tenant_id in tenant_ids)))
