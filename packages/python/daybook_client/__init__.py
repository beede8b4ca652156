"""A client of Daybook for scripts: REST, server-sent events and WebSocket, with requests and websocket-client alone.

    with Daybook("http://localhost:8000", token) as client:
        print(client.snapshot()["performance_score"])
        for snapshot in client.updates():
            print(snapshot["version"], snapshot["metrics"][0]["value"])

It depends on nothing else of Daybook. Whatever goes on for long reconnects by itself with full
jitter, obeys Retry-After and the close codes, and never hands out a version that is not newer than the one before.
"""

from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any, Self
from urllib.parse import quote, urlsplit

import requests
import websocket

Json = dict[str, Any]

BASE_DELAY_S = 0.5
MAX_DELAY_S = 30.0
ANSWER_WITHIN_S = 15.0
# The server sends something at least every 15 s on a stream; a socket is asked after 20 s of silence.
STREAM_SILENCE_S = 40.0
SOCKET_SILENCE_S = 20.0

TOKEN_EXPIRED, NOT_YOURS, TOO_MANY = 4401, 4403, 4429


class ProblemError(Exception):
    """The server refused. `code` is stable and for programs, `request_id` finds it in the server's log."""

    def __init__(self, status: int, body: Json, retry_after_s: float | None = None) -> None:
        super().__init__(f"{status} {body.get('code', '')}: {body.get('detail', '')}")
        self.status = status
        self.code = str(body.get("code", "unknown"))
        self.detail = str(body.get("detail", ""))
        self.request_id = body.get("request_id")
        self.retry_after_s = retry_after_s


class Daybook:
    """One tenant's dashboard. `token` is a JWT, or a function that gives a fresh one whenever the last has run out.

    `on_status` is told when the data stops being fresh and when it is fresh again: {"stale", "since", "reason"}.
    """

    def __init__(
        self, url: str, token: str | Callable[[], str], *, on_status: Callable[[Json], None] | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._source = token
        self._token = token if isinstance(token, str) else token()
        self._on_status = on_status
        self._http = requests.Session()
        # Not as a header of the session: a matching line in ~/.netrc would take its place.
        self._http.auth = self._sign

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of idle connections. An iterator lets go of its own when it is left."""
        self._http.close()

    # One answer each; raises ProblemError, or requests.RequestException when there is no answer.

    def snapshot(self) -> Json:
        """The dashboard now."""
        return self._ask("GET", "/realtime/aggregate/")

    def overview(self) -> Json:
        """The long form: receivables, 30 days of flows, top clients, cash forecast."""
        return self._ask("GET", "/overview/")

    def health(self) -> Json:
        """How well the server is; raises ProblemError when it is not."""
        return self._ask("GET", "/health/")

    def recalculate(self, *, wait: bool = True, idempotency_key: str | None = None) -> Json:
        """Have it computed again. Without `wait`, or when it takes long, the answer says `status: queued`."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._ask("POST", f"/realtime/recalculate/?wait={int(wait)}", headers=headers)

    def alerts(self) -> Iterator[Json]:
        """Every alert of the last 30 days, newest first, page by page."""
        path: str | None = "/alerts/"
        while path:
            page = self._ask("GET", path)
            yield from page["alerts"]
            path = page["next"] and urlsplit(page["next"])._replace(scheme="", netloc="").geturl()

    def acknowledge(self, alert_id: str) -> Json:
        """Say that somebody takes care of it."""
        return self._ask("POST", f"/alerts/{quote(alert_id, safe='')}/acknowledge/")

    def snooze(self, alert_id: str, *, minutes: int) -> Json:
        """Hear of it again in so many minutes (1–10080)."""
        return self._ask("POST", f"/alerts/{quote(alert_id, safe='')}/snooze/", json={"minutes": minutes})

    def ticket(self, path: str) -> str:
        """A one-time ticket, for somebody who cannot send a header: open `path?ticket=…` with it within 30 s."""
        return str(self._ask("POST", "/tickets/", json={"path": path})["ticket"])

    # Without end.

    def updates(self, *, interval_s: int = 30) -> Iterator[Json]:
        """Every new snapshot, beginning with the newest, as server-sent events."""
        return self._newer(lambda held: self._stream(interval_s, held), "dashboard_update", lambda event: event)

    def socket_updates(self, *, interval_s: int = 30) -> Iterator[Json]:
        """The same over a WebSocket."""
        configure = {"type": "configure", "config": {"update_interval": interval_s}}
        path = f"/ws/dashboard/{quote(self._user_id(), safe='')}/"
        return self._newer(lambda _: self._socket(path, configure), "dashboard.update", lambda message: message["data"])

    def notifications(self) -> Iterator[Json]:
        """Messages of the notifications socket; after each (re)connect the open alerts come again, with `replay: true`."""
        path = f"/ws/dashboard/notifications/{quote(self._user_id(), safe='')}/"
        return self._forever(lambda: self._socket(path))

    def _newer(
        self, connect: Callable[[str | None], Iterator[Json]], kind: str, snapshot_of: Callable[[Json], Json]
    ) -> Iterator[Json]:
        held: str | None = None

        def resume() -> Iterator[Json]:
            return connect(held)

        for message in self._forever(resume):
            if message["type"] == kind:
                snapshot = snapshot_of(message)
                if is_newer(snapshot["version"], held):
                    held = snapshot["version"]
                    yield snapshot
            elif message["type"] in ("status", "dashboard.status") and self._on_status:
                self._on_status(message)

    def _forever(self, connect: Callable[[], Iterator[Json]]) -> Iterator[Json]:
        """The messages of one connection after the other; raises ProblemError when trying again is no use."""
        attempt, has_new_token = 0, False
        while True:
            floor_s = 0.0
            try:
                for message in connect():
                    attempt, has_new_token = 0, False
                    yield message
            except ProblemError as problem:
                floor_s = self._after(problem, has_new_token=has_new_token)
                has_new_token = problem.status == 401
            except (requests.RequestException, websocket.WebSocketException, OSError):
                pass  # Not reachable, or no longer: try again.
            time.sleep(floor_s + delay_s(attempt))
            attempt += 1

    def _after(self, problem: ProblemError, *, has_new_token: bool) -> float:
        """Seconds to wait in any case before the next attempt; raises the problem when there must be none."""
        if problem.status == 401 and callable(self._source) and not has_new_token:
            self._token = self._source()
            return 0.0
        if problem.status in (429, 500, 502, 503, 504):
            return problem.retry_after_s or 1.0
        raise problem

    def _stream(self, interval_s: int, held: str | None) -> Iterator[Json]:
        headers = {"Last-Event-ID": held} if held else {}
        with self._http.get(
            f"{self._url}/api/dashboard/streaming/aggregate/",
            params={"interval": interval_s, "max_updates": 1000},
            headers=headers,
            stream=True,
            timeout=(ANSWER_WITHIN_S, STREAM_SILENCE_S),
        ) as response:
            _raise_for(response)
            # Every event of Daybook is one line of data.
            for line in response.iter_lines(chunk_size=None):
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    def _socket(self, path: str, first: Json | None = None) -> Iterator[Json]:
        address = "ws" + self._url.removeprefix("http") + path
        try:
            connection = websocket.create_connection(
                address,
                timeout=ANSWER_WITHIN_S,
                header={"Authorization": f"Bearer {self._token}"},
                suppress_origin=True,
            )
        except websocket.WebSocketBadStatusException as refused:
            raise _problem(refused.status_code, refused.resp_body or b"", refused.resp_headers or {}) from refused
        try:
            if first:
                connection.send(json.dumps(first))
            yield from _messages(connection)
        finally:
            connection.close()
            # After a close frame of the server's, `close` does nothing.
            connection.shutdown()  # type: ignore[no-untyped-call]

    def _user_id(self) -> str:
        return str(self.snapshot()["user_id"])

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, json: Json | None = None) -> Json:
        address = self._url + (path if path.startswith("/api/") else f"/api/dashboard{path}")
        for is_last in (False, True):
            response = self._http.request(method, address, headers=headers, json=json, timeout=ANSWER_WITHIN_S)
            if response.status_code != 401 or is_last or not callable(self._source):
                break
            self._token = self._source()
        _raise_for(response)
        body: Json = response.json()
        return body


def is_newer(version: str, held: str | None) -> bool:
    """Whether `version` may follow `held`: a higher revision of the same epoch, or any revision of another epoch."""
    if held is None:
        return True
    epoch, _, revision = version.rpartition("-")
    held_epoch, _, held_revision = held.rpartition("-")
    return epoch != held_epoch or int(revision) > int(held_revision)


def delay_s(attempt: int) -> float:
    """A random share of a doubling bound: the clients of a server that restarts do not come back all at once."""
    return random.random() * min(MAX_DELAY_S, BASE_DELAY_S * 2.0 ** min(attempt, 10))  # noqa: S311 - guards nothing


def _messages(connection: websocket.WebSocket) -> Iterator[Json]:
    """Until the server closes, or does not even answer a ping."""
    connection.settimeout(SOCKET_SILENCE_S)
    asked = False
    while True:
        try:
            opcode, data = connection.recv_data()
        except websocket.WebSocketTimeoutException:
            if asked:
                return
            connection.send('{"type":"ping"}')
            asked = True
            continue
        asked = False
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return _closed(data)
        message = json.loads(data)
        if message["type"] != "pong":
            yield message


def _closed(data: bytes) -> None:
    """What a close code asks of a client; anything else: reconnect."""
    code = struct.unpack("!H", data[:2])[0] if len(data) >= 2 else None
    reason = data[2:].decode(errors="replace")
    if code == TOKEN_EXPIRED:
        raise ProblemError(401, {"code": "token_expired", "detail": reason})
    if code == NOT_YOURS:
        raise ProblemError(403, {"code": "not_yours", "detail": reason})
    if code == TOO_MANY:
        raise ProblemError(429, {"code": "too_many_messages", "detail": reason}, retry_after_s=10.0)


def _raise_for(response: requests.Response) -> None:
    if not response.ok:
        raise _problem(response.status_code, response.content, dict(response.headers))


def _problem(status: int, body: bytes, headers: dict[str, str]) -> ProblemError:
    try:
        described = json.loads(body)
    except ValueError:
        described = {"detail": body[:200].decode(errors="replace")}
    lowered = {name.lower(): value for name, value in headers.items()}
    retry_after = lowered.get("retry-after", "")
    return ProblemError(status, described, float(retry_after) if retry_after.isdigit() else None)
