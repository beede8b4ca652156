"""One client's TCP connection under gevent: wait for its bytes or for news, write with a deadline, part in peace.

Only the greenlet that serves the client touches it, so writes never interleave; others wake that greenlet by its event.
"""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Callable, Iterator

import gevent
from gevent.event import Event
from gevent.socket import wait_read, wait_write

from shared.errors import DaybookError

SEND_BUFFER_BYTES = 64 * 1024
# Room for the rest of a message and a close frame when the buffer is full; the kernel delivers them when read.
LAST_WORDS_BUFFER_BYTES = 4 * SEND_BUFFER_BYTES
# A socket counts as writable when a third of its buffer is free: that much always fits, the kernel's own share included.
PIECE_BYTES = SEND_BUFFER_BYTES // 4
RECEIVE_BYTES = 16 * 1024
# Clients stop reading together when a network breaks. They are given up, and looked at, spread over a while, so that those
# who read do not wait for all of them at once.
WRITE_DEADLINE_S = 5.0
SPREAD = 0.2
# How long a client may take to close its side; half of it when the process is to end.
PARTING_S = 1.0
# How soon a blocked write notices that the process is to end.
SLICE_S = (0.2, 0.5)


class ClientGone(DaybookError):
    """The client closed the connection or it broke. Nobody is left to tell; free what it held."""


class TooSlow(DaybookError):
    """A write did not finish in WRITE_DEADLINE_S or a little less: the client does not read. Close the connection."""


def _never() -> bool:
    return False


def _write_deadline() -> float:
    return time.monotonic() + WRITE_DEADLINE_S * random.uniform(1 - SPREAD, 1)  # noqa: S311 (no secret)


class Connection:
    """A non-blocking socket with a wake-up: `wake.set()` from any greenlet ends `wait`."""

    __slots__ = ("_hurry", "_readable", "_socket", "_torn", "wake")

    def __init__(self, client: socket.socket, wake: Event, *, hurry: Callable[[], bool] = _never) -> None:
        """`hurry` tells a write that has been blocked for a while to give up before its deadline."""
        # A client that has already left makes these fail; the first reading will tell.
        with contextlib.suppress(OSError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setblocking(False)
        self.wake = wake
        self._hurry = hurry
        self._socket = client
        self._torn = False
        self._readable = gevent.get_hub().loop.io(client.fileno(), 1)

    def wait(self, timeout_s: float | None) -> None:
        """Sleep until the client sent something or left, `wake` was set, or the time is over."""
        if not self.wake.is_set():
            self._readable.start(self.wake.set)
            try:
                self.wake.wait(timeout_s)
            finally:
                self._readable.stop()
        self.wake.clear()

    def receive(self) -> bytes | None:
        """What the client sent, None when nothing is there; raises ClientGone at the end."""
        try:
            data = self._socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ClientGone(str(error)) from error
        if not data:
            raise ClientGone("end of stream")
        return data

    def left(self) -> bool:
        """Whether the client closed its side; what it sent beyond its request is dropped (for one-way streams)."""
        self._socket.setblocking(False)
        try:
            self.receive()
        except ClientGone:
            return True
        finally:
            self.lend()
        return False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """`data` in pieces that the server can write without blocking, each when the client has room for it.

        Raises TooSlow when the client has not made room for all of them in WRITE_DEADLINE_S.
        """
        deadline = _write_deadline()
        for start in range(0, len(data), PIECE_BYTES):
            self._wait_writable(deadline)
            yield data[start : start + PIECE_BYTES]

    def send(self, data: bytes) -> None:
        """Write all of `data`; raises TooSlow or ClientGone, and then nothing more may be written."""
        rest = self._push(memoryview(data))
        deadline = _write_deadline() if rest else 0.0
        while rest:
            try:
                self._wait_writable(deadline)
            except TooSlow:
                self._last_words(rest)
                raise
            rest = self._push(rest)

    def lend(self) -> None:
        """Let the server write by itself, bounded by the same deadline."""
        self._socket.settimeout(WRITE_DEADLINE_S)

    def part(self, last: bytes = b"") -> None:
        """Send `last` if no message was torn off, and close so that the client can read it: unread input would reset it."""
        with contextlib.suppress(OSError, ClientGone):
            if last and not self._torn:
                self._push(memoryview(last))
            self._socket.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + (PARTING_S / 2 if self._hurry() else PARTING_S)
            while (left_s := deadline - time.monotonic()) > 0:
                if self.receive() is None:
                    wait_read(self._socket.fileno(), timeout=left_s)
        self.abort()

    def abort(self) -> None:
        """End the connection at once. The descriptor stays with the server, which closes it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Leave the socket as it was; the connection cannot be waited for any more."""
        self._readable.stop()
        self._readable.close()
        self._socket.settimeout(None)

    def _push(self, data: memoryview) -> memoryview:
        try:
            return data[self._socket.send(data) :]
        except BlockingIOError:
            return data
        except OSError as error:
            raise ClientGone(str(error)) from error

    def _wait_writable(self, deadline: float) -> None:
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                wait_write(self._socket.fileno(), timeout=min(left_s, random.uniform(*SLICE_S)))  # noqa: S311
                return
            except TimeoutError:
                if self._hurry():
                    break
        raise TooSlow

    def _last_words(self, rest: memoryview) -> None:
        """Let the kernel take the rest of a message, so that a close frame can follow it on a frame's boundary."""
        self._torn = True
        with contextlib.suppress(OSError, ClientGone):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LAST_WORDS_BUFFER_BYTES)
            self._torn = len(self._push(rest)) > 0
