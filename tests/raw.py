"""Bytes over a socket, for what no HTTP client would send."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

from tests.patience import PATIENCE
from tests.servers import WebServer


@dataclass(frozen=True)
class Answer:
    """What came back until the server closed or the first answer was complete."""

    status: int
    head: str
    body: bytes
    elapsed_s: float


def send(web: WebServer, data: bytes, *, timeout_s: float = 10.0 * PATIENCE) -> Answer:
    """Send `data` and read one answer; status 0 when the server closed without one."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", web.port), timeout=timeout_s) as client:
        client.sendall(data)
        received = b""
        while not _is_complete(received):
            try:
                piece = client.recv(65_536)
            except ConnectionResetError:
                break
            if not piece:
                break
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    status = int(head.split()[1]) if head.startswith(b"HTTP/1.") else 0
    return Answer(status, head.decode("latin-1"), body, time.monotonic() - started)


def request(
    path: str = "/livez", *headers: str, method: str = "GET", host: str | None = "127.0.0.1", body: bytes = b""
) -> bytes:
    """The bytes of one request with these header lines."""
    lines = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _is_complete(received: bytes) -> bool:
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    return b"\r\n0\r\n" in body or head.split()[1] in (b"304", b"204")
