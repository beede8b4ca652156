"""RFC 6455 on the server's side: whole messages in, whole frames out, every violation answered with its close code.

flask-sock upgrades the request; from there on this module owns the socket. simple-websocket's own reader and `send` are
not used: they tear frames when the kernel takes only a part of one, and keep every message that a client pushes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from wsproto.frame_protocol import CloseReason, Frame, FrameProtocol, Opcode, ParseFailed

from shared.errors import DaybookError
from web.transport.close_codes import CloseCode
from web.transport.compression import MAX_MESSAGE_BYTES, Compression, Inflate, SizeLimit
from web.transport.connection import ClientGone, Connection
from web.transport.frames import SharedMessage

# A message may come in pieces, but not in so many that counting them is the work.
MAX_FRAGMENTS = 1024


class CloseSocket(DaybookError):
    """The conversation is over: close the socket with `code` (SPEC 7 lists what each one asks of the client)."""

    def __init__(self, code: CloseCode | int, reason: str) -> None:
        """`code` is one of ours, or one that RFC 6455 has for a violation of it."""
        self.code = code.code if isinstance(code, CloseCode) else int(code)
        super().__init__(f"{self.code} {reason}")
        self.reason = reason


class NoReader:
    """Takes the place of the thread that simple-websocket would start to read into an unbounded list."""

    name = ""

    def __init__(self, target: object) -> None:
        """`target` is never called."""

    def start(self) -> None:
        """Nothing to start: the session's own greenlet reads."""


SOCK_SERVER_OPTIONS: dict[str, Any] = {"thread_class": NoReader}


_SIZE_LIMIT = SizeLimit()
_PING = bytes(FrameProtocol(client=False, extensions=[]).ping())


class Message(NamedTuple):
    """One complete message of a client; `data` of a text message is valid UTF-8."""

    is_text: bool
    data: bytes


class WebSocket:
    """An upgraded socket. Every method may raise ClientGone, TooSlow or CloseSocket."""

    __slots__ = ("_compression", "_fragments", "_partial", "_protocol", "_shared", "connection")

    def __init__(self, connection: Connection, compression: Compression | None) -> None:
        """`compression` is what the handshake agreed on."""
        self.connection = connection
        self._compression = compression
        self._shared: SharedMessage | None = None
        self._protocol = FrameProtocol(client=False, extensions=[Inflate() if compression else _SIZE_LIMIT])
        self._partial = bytearray()
        self._fragments = 0

    def received(self) -> Iterator[Message | None]:
        """What has arrived: messages, or None for a control frame, which is answered next. Never waits for more."""
        data = self.connection.receive()
        while data is not None:
            self._protocol.receive_bytes(data)
            try:
                for frame in self._protocol.received_frames():
                    if frame.opcode.iscontrol():
                        yield None
                        self._control(frame)
                    elif message := self._assemble(frame):
                        yield message
            except ParseFailed as violation:
                raise CloseSocket(violation.code, "protocol violation") from violation
            data = self.connection.receive()

    def send(self, frame: bytes) -> None:
        """Write one whole frame made by `text_frame`."""
        self.connection.send(frame)

    def share(self, message: SharedMessage) -> None:
        """Write a message that others get too, in the form that was agreed on with this client."""
        before, self._shared = self._shared, message if self._compression is Compression.AFTER else None
        self.connection.send(message.frame(self._compression, after=before))

    def ping(self) -> None:
        """Ask the client for a pong."""
        self.connection.send(_PING)

    def close(self, code: int, reason: str) -> None:
        """Say why and part; the client's own close frame is awaited for a moment, not read."""
        self.connection.part(bytes(self._protocol.close(code, reason)))

    def _control(self, frame: Frame) -> None:
        payload: Any = frame.payload
        if frame.opcode is Opcode.PING:
            self.connection.send(bytes(self._protocol.pong(payload)))
        elif frame.opcode is Opcode.CLOSE:
            code, _reason = payload
            self.connection.part(bytes(self._protocol.close(code)))
            raise ClientGone("closed by the client")

    def _assemble(self, frame: Frame) -> Message | None:
        """The message that this frame completes, if it does. wsproto has unmasked it and checked its UTF-8."""
        payload: Any = frame.payload
        self._partial += payload.encode() if isinstance(payload, str) else payload
        self._fragments += frame.frame_finished
        if len(self._partial) > MAX_MESSAGE_BYTES or self._fragments > MAX_FRAGMENTS:
            raise CloseSocket(CloseReason.MESSAGE_TOO_BIG, "message too large")
        if not frame.message_finished:
            return None
        message = Message(is_text=frame.opcode is Opcode.TEXT, data=bytes(self._partial))
        self._partial, self._fragments = bytearray(), 0
        return message
