"""A TCP proxy in front of Redis that can go deaf: connections stay open, and what the server says is lost."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Proxy:
    """Forwards a free port to `target`. A context manager."""

    target: int
    port: int = 0
    _deaf: set[socket.socket] = field(default_factory=set)
    _subscribed: set[socket.socket] = field(default_factory=set)
    _open: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for opened in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def deafen_subscribers(self) -> int:
        """Lose from now on what the subscriptions open now would receive; returns how many there are."""
        self._deaf |= self._subscribed
        return len(self._subscribed)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self._open += [client, server]
                threading.Thread(target=self._forth, args=(client, server), daemon=True).start()
                threading.Thread(target=self._back, args=(client, server), daemon=True).start()

    def _forth(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                if b"SUBSCRIBE" in data:
                    self._subscribed.add(client)
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                if client not in self._deaf:
                    client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
