"""Clients that stay connected as good clients do, and keep the history of every version they were shown."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

import requests

from shared.versions import Version
from tests.live import Closed, Events, Socket
from tests.patience import PATIENCE
from tests.tokens import token

REALTIME = "/api/dashboard/realtime/aggregate/"
OVERVIEW = "/api/dashboard/overview/"
# Longer than the server may be silent on a connection that is well.
SILENCE_S = 45.0
RETRY_S = 0.1


def lasting(tenant_id: str) -> str:
    """A token that is good an hour ago and in an hour, whatever the clock of who reads it does."""
    hour_s = 3600
    return token(tenant_id, ttl_s=2 * hour_s, iat=int(time.time()) - 2 * hour_s)


@dataclass(frozen=True, slots=True)
class Seen:
    """One snapshot as a client was shown it."""

    at: float
    version: Version
    stale: bool


@dataclass
class Client:
    """What one client was shown. A context manager: it connects, again and again, until it is left."""

    port: int
    tenant_id: str
    history: list[Seen] = field(default_factory=list)
    statuses: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    closes: list[int | None] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    connections: int = 0
    connected: bool = False
    stale: bool | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _wire: Socket | Events | None = None

    kind: ClassVar[str] = ""

    def __enter__(self) -> Client:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        self._thread.join(10 * PATIENCE)

    def leave(self) -> None:
        """Begin to leave; exit waits for it."""
        self._stopping.set()
        wire = self._wire
        if wire is not None:
            with contextlib.suppress(OSError):
                wire.socket.shutdown(2)

    @property
    def version(self) -> str | None:
        """What it shows."""
        return str(self.history[-1].version) if self.history else None

    def reasons(self, since: float) -> set[str]:
        """Why it was told that its data is not fresh."""
        return {status["reason"] for at, status in list(self.statuses) if at >= since and status["stale"]}

    def was_stale(self, since: float) -> bool:
        """Whether it was told that its data is not fresh."""
        return any(at >= since and status["stale"] for at, status in list(self.statuses)) or any(
            seen.at >= since and seen.stale for seen in list(self.history)
        )

    def assert_never_back(self) -> None:
        """Within an epoch revisions only rise, and an epoch that was left does not come back."""
        newest: dict[str, int] = {}
        current = None
        for seen in list(self.history):
            epoch, revision = seen.version.epoch, seen.version.revision
            assert epoch == current or epoch not in newest, f"{self}: back to epoch {epoch}: {self._versions()}"
            assert revision >= newest.get(epoch, 0), f"{self}: back to {seen.version}: {self._versions()}"
            newest[epoch], current = revision, epoch

    def __str__(self) -> str:
        return f"{self.kind} of {self.tenant_id}"

    def _versions(self) -> list[str]:
        return [str(seen.version) for seen in self.history]

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._converse()
            except (OSError, Closed, AssertionError, ValueError) as error:
                self.closes.append(error.code if isinstance(error, Closed) else None)
            except Exception as error:
                self.unexpected.append(repr(error))
                raise
            finally:
                self.connected = False
            self._stopping.wait(RETRY_S)

    def _converse(self) -> None:
        raise NotImplementedError

    def _open(self, wire: Socket | Events) -> None:
        wire.socket.settimeout(SILENCE_S)
        self._wire = wire
        self.connections += 1
        # Who connects while all is well is told nothing of staleness.
        self.stale = False

    def _update(self, data: dict[str, Any]) -> None:
        version = Version.parse(data["version"])
        assert version is not None
        self.stale = data["stale"]
        self.history.append(Seen(time.monotonic(), version, data["stale"]))
        self.connected = True

    def _status(self, message: dict[str, Any]) -> None:
        self.stale = message["stale"]
        self.statuses.append((time.monotonic(), message))


class SocketClient(Client):
    """A WebSocket."""

    kind: ClassVar[str] = "socket"

    def _converse(self) -> None:
        with Socket(self.port, self.tenant_id, jwt=lasting(self.tenant_id)) as wire:
            self._open(wire)
            while not self._stopping.is_set():
                message = wire.receive()
                if message["type"] == "dashboard.update":
                    self._update(message["data"])
                elif message["type"] == "dashboard.status":
                    self._status(message)


class StreamClient(Client):
    """An event stream that reconnects with the id of the last event it has."""

    kind: ClassVar[str] = "stream"

    def _converse(self) -> None:
        last = [f"Last-Event-ID: {self.version}"] if self.history else []
        query, jwt = "?interval=30&max_updates=1000", lasting(self.tenant_id)
        with Events(self.port, self.tenant_id, query, *last, jwt=jwt) as wire:
            if " 200 " not in wire.head:
                raise ConnectionError(wire.head)
            self._open(wire)
            # With a current id there is no snapshot until the next change: the connection itself is the good news.
            self.connected = bool(last)
            while not self._stopping.is_set():
                event = wire.receive()
                if event["type"] == "dashboard_update":
                    assert event["_id"] == event["version"]
                    self._update(event)
                elif event["type"] == "status":
                    self._status(event)
                elif event["type"] == "stream_end":
                    self.ends.append(event["reason"])


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of REST; status 0: nobody answered."""

    at: float
    status: int
    elapsed_s: float
    version: Version | None = None
    stale: bool | None = None


@dataclass
class RestClient(Client):
    """Asks for the snapshot ten times a second."""

    answers: list[Answer] = field(default_factory=list)

    kind: ClassVar[str] = "rest"

    def _run(self) -> None:
        with requests.Session() as session:
            while not self._stopping.is_set():
                self._ask(session)
                self._stopping.wait(0.1)

    def _ask(self, session: requests.Session) -> None:
        started = time.monotonic()
        try:
            answer = session.get(
                f"http://127.0.0.1:{self.port}{REALTIME}",
                headers={"Authorization": f"Bearer {lasting(self.tenant_id)}"},
                timeout=20 * PATIENCE,
            )
        except requests.RequestException:
            self.connected = False
            self.answers.append(Answer(started, 0, time.monotonic() - started))
            return
        elapsed_s = time.monotonic() - started
        if answer.status_code == 200:
            body = answer.json()
            self._update(body)
            seen = self.history[-1]
            self.answers.append(Answer(started, 200, elapsed_s, seen.version, seen.stale))
            return
        self.connected = False
        self.answers.append(Answer(started, answer.status_code, elapsed_s))
        problem = answer.headers["Content-Type"] == "application/problem+json"
        if answer.status_code != 503 or not problem or "Retry-After" not in answer.headers:
            self.unexpected.append(f"{answer.status_code} {answer.text[:300]}")
        if "Traceback" in answer.text:
            self.unexpected.append(answer.text)

    def slowest_s(self, since: float) -> float:
        """The longest that an answer took."""
        return max((answer.elapsed_s for answer in list(self.answers) if answer.at >= since), default=0.0)

    def statuses_since(self, since: float) -> set[int]:
        """Every status of an answer."""
        return {answer.status for answer in list(self.answers) if answer.at >= since}


def exact(body: str) -> Any:
    """JSON with its numbers as Decimal."""
    return json.loads(body, parse_float=Decimal)


def everyone(port: int, tenant_ids: Sequence[str], *, sockets: int = 1, streams: int = 1) -> list[Client]:
    """So many clients of each kind for each tenant, and one that asks."""
    return [
        client
        for tenant_id in tenant_ids
        for client in (
            *(SocketClient(port, tenant_id) for _ in range(sockets)),
            *(StreamClient(port, tenant_id) for _ in range(streams)),
            RestClient(port, tenant_id),
        )
    ]
