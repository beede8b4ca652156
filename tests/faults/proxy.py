"""A TCP proxy between Daybook and Redis that can do what a bad network does."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Self

from cli.local.embedded import free_port

# How long a lost packet delays those behind it: TCP sends it again after about so long.
RETRANSMISSION_S = 0.3


@dataclass
class Proxy:
    """A context manager. `delay_s` and `loss` (0..1) hold for every piece of data from the server."""

    target: int
    port: int = field(default_factory=free_port)
    delay_s: float = 0.0
    loss: float = 0.0
    accepted: int = 0
    _black_holes: set[socket.socket] = field(default_factory=set)
    _subscribers: set[socket.socket] = field(default_factory=set)
    _open: set[socket.socket] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._random = random.Random(1)
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    @property
    def url(self) -> str:
        """The Redis behind it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def swallow_subscriptions(self) -> int:
        """From now on those who are subscribed stay connected and receive nothing; how many they are."""
        self._black_holes |= self._subscribers
        return len(self._black_holes)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.add(one)
            threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answers, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                if b"SUBSCRIBE" in data:
                    self._subscribers.add(client)
                server.sendall(data)
        self._end(client, server)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                delay_s = self.delay_s + (RETRANSMISSION_S if self._random.random() < self.loss else 0.0)
                if delay_s:
                    time.sleep(delay_s)
                if client not in self._black_holes:
                    client.sendall(data)
        self._end(client, server)

    def _end(self, client: socket.socket, server: socket.socket) -> None:
        self._subscribers.discard(client)
        for one in (client, server):
            self._open.discard(one)
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
