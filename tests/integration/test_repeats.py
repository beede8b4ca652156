"""What is answered before Flask is asked is what Flask would answer, and no later than a notice."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping
from functools import partial

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


def answered(web: WebServer, source: str) -> float:
    """How many answers came from there so far."""
    lines = requests.get(f"{web.url}/metrics", timeout=10).text.splitlines()
    found = [line for line in lines if line.startswith(f'dashboard_snapshot_reads_total{{source="{source}"}}')]
    return float(found[0].split()[-1])


def ways(web: WebServer, path: str, headers: Mapping[str, str]) -> list[requests.Response]:
    """The whole way's answer, one that was confirmed, and one that was repeated."""
    # An id of one's own is a question that is always new.
    whole = get(web, path, {**headers, "X-Request-ID": "mine"})

    def asked(source: str) -> tuple[requests.Response, float]:
        before = answered(web, source)
        return get(web, path, headers), answered(web, source) - before

    others = [eventually(partial(asked, source), lambda one: one[1] > 0) for source in ("confirmed", "repeated")]
    return [whole, *(answer for answer, _ in others)]


def known(web: WebServer, tenant_id: str, **claims: object) -> dict[str, str]:
    """The header of somebody who has asked before."""
    headers = bearer(tenant_id, **claims)
    assert get(web, REALTIME, headers).status_code == 200
    return headers


@pytest.mark.parametrize("path", [REALTIME, OVERVIEW])
@pytest.mark.parametrize("more", [{}, {"Origin": ORIGIN}, {"Origin": "https://stranger.example"}, {"If-None-Match": "*"},
                                  {"If-None-Match": 'W/"1-1"'}, {"Cookie": "access_token_cookie=x"},
                                  {"Accept-Encoding": "identity"}])  # fmt: skip
def test_a_repeated_answer_is_the_one_that_flask_gives(web: WebServer, path: str, more: Mapping[str, str]) -> None:
    tenant_id = f"same {path} {sorted(more.items())}"
    web.write(tenant_id.replace("/", "-"), n=1)
    whole, *others = ways(web, path, {**bearer(tenant_id.replace("/", "-")), **more})
    for again in others:
        assert again.status_code == whole.status_code in (200, 304)
        assert again.content == whole.content
        same = [{k: v for k, v in one.headers.items() if k not in PER_REQUEST} for one in (whole, again)]
        assert same[0] == same[1]
        assert whole.headers.keys() == again.headers.keys()
        assert again.headers["X-Request-ID"] != whole.headers["X-Request-ID"] == "mine"


def test_its_line_in_the_log_says_the_same(web: WebServer) -> None:
    web.write("logged", n=1)
    ways(web, REALTIME, bearer("logged"))

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
    ways(web, REALTIME, bearer("failing"))
    with redis.Redis.from_url(services.redis_url) as client:
        SnapshotWriter(client, web.keys).mark_failing("failing", "bad rows")
    eventually(lambda: get(web, REALTIME, bearer("failing")).json()["stale"])


def test_who_reads_once_after_each_write_reads_what_was_written(web: WebServer) -> None:
    """Even before its notice: what was answered before is asked about, not believed."""
    web.write("written", n=0)
    people = [known(web, "written", jti=str(number)) for number in range(30)]
    for number, headers in enumerate(people):
        web.write("written", n=number)
        assert get(web, REALTIME, headers).json()["n"] == number


def test_what_was_answered_before_is_not_confirmed_to_a_token_that_is_revoked_or_expired(web: WebServer) -> None:
    web.write("leaving", n=1)
    revoked, expiring = known(web, "leaving", jti="left"), known(web, "leaving", ttl_s=5.0)
    web.client.set(web.keys.revoked("left"), 1, ex=60)
    for headers, code in ((revoked, "token_invalid"), (expiring, "token_expired")):
        refused = eventually(
            partial(get, web, REALTIME, headers), lambda answer: answer.status_code != 200, within_s=2.0
        )
        assert (refused.status_code, refused.json()["code"]) == (401, code)


def test_an_answer_that_is_not_confirmed_counts_once(services: Services, keys: Keys) -> None:
    with WebServer(services.redis_url, keys) as web:
        left = []
        for number in range(6):
            web.write("counted", n=number)
            left += [get(web, REALTIME, bearer("counted")).headers["RateLimit-Remaining"] for _ in range(2)]
        assert left == [str(int(left[0]) - number) for number in range(12)]


def test_who_is_refused_after_an_answer_was_remembered_counts_once_for_the_person(
    services: Services, keys: Keys
) -> None:
    with WebServer(services.redis_url, keys, env={"DASHBOARD_RATE_REQUESTS": "4/minute"}) as web:
        web.write("crowded", n=1)
        headers = bearer("crowded")
        answers = [get(web, REALTIME, headers).status_code for _ in range(10)]
        assert answers == [200] * 4 + [429] * 6
        assert int(web.client.get(f"{keys.limits}:requests-of:7:crowded:crowded") or 0) == 10


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
