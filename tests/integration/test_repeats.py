"""What is answered before Flask is asked is what Flask would answer, and no later than a notice."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping

import pytest
import redis
import requests

from shared.keys import Keys
from shared.store import SnapshotWriter
from tests import raw
from tests.conftest import Services
from tests.patience import PATIENCE
from tests.servers import WebServer, eventually
from tests.tokens import bearer
from web.http.turns import REQUESTS_IN_A_ROW

REALTIME = "/api/dashboard/realtime/aggregate/"
OVERVIEW = "/api/dashboard/overview/"
ORIGIN = "https://shop.example"
PER_REQUEST = {"X-Request-ID", "RateLimit-Remaining", "RateLimit-Reset", "Date"}


@pytest.fixture(scope="module")
def web(services: Services) -> Iterator[WebServer]:
    env = {"DASHBOARD_RATE_REQUESTS": "1000/minute", "DASHBOARD_ALLOWED_ORIGINS": ORIGIN}
    with WebServer(services.redis_url, Keys("repeats"), env=env) as server:
        yield server


def get(web: WebServer, path: str, headers: Mapping[str, str]) -> requests.Response:
    return requests.get(web.url + path, headers=dict(headers), timeout=10)


def repeated(web: WebServer) -> float:
    """How many answers were repeated so far."""
    lines = requests.get(f"{web.url}/metrics", timeout=10).text.splitlines()
    found = [line for line in lines if line.startswith('dashboard_snapshot_reads_total{source="repeated"}')]
    return float(found[0].split()[-1])


def twice(web: WebServer, path: str, headers: Mapping[str, str]) -> tuple[requests.Response, requests.Response]:
    """The whole way's answer, and one that was repeated; an id of one's own is a question that is never repeated."""

    def both() -> tuple[requests.Response, requests.Response, float]:
        whole = get(web, path, {**headers, "X-Request-ID": "mine"})
        before = repeated(web)
        for _ in range(3):
            again = get(web, path, headers)
        return whole, again, repeated(web) - before

    whole, again, _ = eventually(both, lambda found: found[2] > 0)
    return whole, again


@pytest.mark.parametrize("path", [REALTIME, OVERVIEW])
@pytest.mark.parametrize("more", [{}, {"Origin": ORIGIN}, {"Origin": "https://stranger.example"}, {"If-None-Match": "*"},
                                  {"If-None-Match": 'W/"1-1"'}, {"Cookie": "access_token_cookie=x"},
                                  {"Accept-Encoding": "identity"}])  # fmt: skip
def test_a_repeated_answer_is_the_one_that_flask_gives(web: WebServer, path: str, more: Mapping[str, str]) -> None:
    tenant_id = f"same {path} {sorted(more.items())}"
    web.write(tenant_id.replace("/", "-"), n=1)
    whole, again = twice(web, path, {**bearer(tenant_id.replace("/", "-")), **more})
    assert again.status_code == whole.status_code in (200, 304)
    assert again.content == whole.content
    same = [{k: v for k, v in one.headers.items() if k not in PER_REQUEST} for one in (whole, again)]
    assert same[0] == same[1]
    assert whole.headers.keys() == again.headers.keys()
    assert again.headers["X-Request-ID"] != whole.headers["X-Request-ID"] == "mine"


def test_its_line_in_the_log_says_the_same(web: WebServer) -> None:
    web.write("logged", n=1)
    twice(web, REALTIME, bearer("logged"))

    def lines() -> list[dict[str, object]]:
        return [e for e in web.events if e["event"] == "request" and e.get("tenant_id") == "logged"]

    found = eventually(lines, lambda seen: len({line["logger"] for line in seen}) == 2)
    assert len({tuple(sorted(line)) for line in found}) == 1
    assert len({line["request_id"] for line in found if line["request_id"] != "mine"}) >= 3


def test_a_change_is_answered_as_soon_as_its_notice_has_come(web: WebServer) -> None:
    web.write("moving", n=0)
    headers, late = bearer("moving"), 0
    for number in range(1, 40):
        web.write("moving", n=number)
        began = time.monotonic()
        while get(web, REALTIME, headers).json()["n"] != number:
            late += 1
            assert time.monotonic() - began < 2
    assert late < 40


def test_what_is_gone_or_fails_is_said_at_once(web: WebServer, services: Services) -> None:
    web.write("failing", n=1)
    twice(web, REALTIME, bearer("failing"))
    with redis.Redis.from_url(services.redis_url) as client:
        SnapshotWriter(client, web.keys).mark_failing("failing", "bad rows")
    eventually(lambda: get(web, REALTIME, bearer("failing")).json()["stale"])


def test_every_repeated_answer_counts(services: Services, keys: Keys) -> None:
    with WebServer(services.redis_url, keys, env={"DASHBOARD_RATE_REQUESTS": "20/minute"}) as web:
        web.write("counted", n=1)
        answers = [get(web, REALTIME, bearer("counted")) for _ in range(25)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 5
        assert [answer.headers["RateLimit-Remaining"] for answer in answers[:20]] == [str(n) for n in range(19, -1, -1)]
        web.write("unchanged", n=1)
        tag = get(web, REALTIME, bearer("unchanged")).headers["ETag"]
        known = [get(web, REALTIME, {**bearer("unchanged"), "If-None-Match": tag}) for _ in range(25)]
        assert {answer.status_code for answer in known} == {304}
        assert all(json.loads(answer.text or "{}") == {} for answer in known)
        assert get(web, REALTIME, bearer("unchanged")).headers["RateLimit-Remaining"] == "18"


def test_who_asks_without_waiting_keeps_nobody_waiting(web: WebServer) -> None:
    web.write("hasty", n=1)
    eventually(lambda: get(web, REALTIME, bearer("hasty")), lambda answer: answer.ok)
    lines = ("If-None-Match: *", f"Authorization: {bearer('hasty')['Authorization']}")
    questions = raw.request(REALTIME, *lines) * REQUESTS_IN_A_ROW * 20
    with socket.create_connection(("127.0.0.1", web.port), timeout=10 * PATIENCE) as hasty:
        for _ in range(3):
            hasty.sendall(questions)
            answered = hasty.recv(1)
            # The process is in the middle of it.
            assert raw.send(web, raw.request()).status == 200
            hasty.setblocking(False)
            while answered.count(b"HTTP/1.1 304") < REQUESTS_IN_A_ROW * 20:
                try:
                    answered += hasty.recv(65_536)
                except BlockingIOError:
                    break
            assert answered.count(b"HTTP/1.1 304") < REQUESTS_IN_A_ROW * 20, "it had to wait for all of them"
            hasty.setblocking(True)
            while answered.count(b"HTTP/1.1 304") < REQUESTS_IN_A_ROW * 20:
                answered += hasty.recv(65_536)
