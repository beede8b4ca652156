"""The processes' output on one screen: each line behind the name of its process, whole lines only."""

from __future__ import annotations

import os
import selectors
import sys
from typing import IO, BinaryIO

# Readable on dark and light backgrounds: cyan, yellow, green, magenta, blue and their bright kin.
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
LONGEST_LINE = 65_536
_READ_AT_ONCE = 65_536


class OutputGone(Exception):
    """Nobody reads our output any more (`bin/run | head`): time to stop."""


class Output:
    """Collects the pipes of child processes and prints what arrives on them."""

    def __init__(self, names: list[str], *, target: BinaryIO | None = None, colour: bool | None = None) -> None:
        self._target = target or sys.stdout.buffer
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ if colour is None else colour
        self._width = max(map(len, names), default=0)
        self._names = names
        self._selector = selectors.DefaultSelector()
        self._partial: dict[IO[bytes], bytes] = {}

    def follow(self, name: str, pipe: IO[bytes]) -> None:
        """Print what comes out of the pipe until its end."""
        os.set_blocking(pipe.fileno(), False)
        self._partial[pipe] = b""
        self._selector.register(pipe, selectors.EVENT_READ, name)

    def pump(self, timeout_s: float) -> None:
        """Print what has arrived, waiting at most `timeout_s` for it."""
        for key, _ in self._selector.select(timeout_s):
            pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
            self._take(key.data, pipe)

    def drain(self) -> None:
        """Print what is left in the pipes and close them; a grandchild may still hold the other end."""
        for key in list(self._selector.get_map().values()):
            pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
            while pipe in self._partial and self._take(key.data, pipe):
                pass
            self._close(key.data, pipe)

    def say(self, words: str) -> None:
        """A line of our own."""
        self._write(words.encode() + b"\n")

    def _take(self, name: str, pipe: IO[bytes]) -> bool:
        try:
            chunk = os.read(pipe.fileno(), _READ_AT_ONCE)
        except BlockingIOError:
            return False
        if not chunk:
            self._close(name, pipe)
            return False
        *lines, rest = (self._partial[pipe] + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        self._partial[pipe] = rest
        self._write(b"".join(self._prefix(name) + line + b"\n" for line in lines))
        return True

    def _close(self, name: str, pipe: IO[bytes]) -> None:
        if pipe not in self._partial:
            return
        rest = self._partial.pop(pipe)
        self._selector.unregister(pipe)
        pipe.close()
        if rest:
            self._write(self._prefix(name) + rest + b"\n")

    def _prefix(self, name: str) -> bytes:
        label = f"{name:<{self._width}} │ "
        if not self._colour:
            return label.encode()
        return f"\x1b[{COLOURS[self._names.index(name) % len(COLOURS)]}m{label}\x1b[0m".encode()

    def _write(self, data: bytes) -> None:
        try:
            self._target.write(data)
            self._target.flush()
        except BrokenPipeError:
            raise OutputGone from None
