"""The HTTP rows of the bad-input table, against the real server."""

from __future__ import annotations

import contextlib
import json
import socket
import time

import pytest
import requests

from tests.patience import PATIENCE
from tests.raw import request, send
from tests.servers import WebServer
from tests.tokens import bearer, token

REALTIME = "/api/dashboard/realtime/aggregate/"
RECALCULATE = "/api/dashboard/realtime/recalculate/"


def authorized(subject: str = "raw-tenant") -> str:
    return f"Authorization: Bearer {token(subject)}"


@pytest.mark.parametrize(
    "data",
    [
        request("/livez", "Content-Length: 2", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        request("/livez", "Content-Length: 2", "Content-Length: 3", body=b"ab"),
        request("/livez", "Host: localhost"),
        request("/livez", host=None),
        request("/version", host="evil.example"),
        request("/version", host="127.0.0.1.evil.example"),
        request("http://evil.example/version"),
        request("http://127.0.0.1@evil.example/version"),
        request("http://evil.example@127.0.0.1/version"),
        request("/livez", host=""),
        request("/livez", host="a b"),
        b"GET /livez HTTP/1.1\nHost: 127.0.0.1\n\n",
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\nX-A: b\r\n\r\n",
        b"GET /livez\r\n\r\n",
    ],
    ids=["te_and_cl", "two_cl", "two_hosts", "no_host", "foreign_host", "suffix_host", "foreign_address",
         "foreign_address_of_a_user", "address_of_a_foreign_user", "empty_host", "bad_host",
         "bare_lf", "bare_lf_in_header", "no_version"],
)  # fmt: skip
def test_ambiguous_requests_are_refused_with_400(web: WebServer, data: bytes) -> None:
    assert send(web, data).status == 400


def test_an_address_of_ours_may_be_the_target(web: WebServer) -> None:
    assert send(web, request(f"http://127.0.0.1:{web.port}/version")).status == 200
    assert send(web, request("http://localhost/version", host="evil.example")).status == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("/livez?" + "a" * 4088), 200),
        (request("/livez?" + "a" * 4090), 414),
        (request("/livez?" + "a" * 20_000), 414),
        (request("/livez", *(f"X-{i}: 1" for i in range(99))), 200),
        (request("/livez", *(f"X-{i}: 1" for i in range(100))), 431),
        (request("/livez", "X-Long: " + "a" * 8000), 200),
        (request("/livez", "X-Long: " + "a" * 8192), 431),
        (request("/livez", "X-Long: " + "a" * 200_000), 431),
        (request(REALTIME, "If-None-Match: " + "a" * 8192), 431),
        (request(REALTIME, "Authorization: Bearer " + "a" * 10_240), 431),
    ],
)
def test_sizes_of_address_and_headers_are_limited(web: WebServer, data: bytes, status: int) -> None:
    assert send(web, data).status == status


@pytest.mark.parametrize(
    "data",
    [
        request(REALTIME, authorized(), "Content-Length: 5", body=b"hello"),
        request(REALTIME, authorized(), "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
        request(RECALCULATE, authorized(), "Transfer-Encoding: chunked", method="POST", body=b"0\r\n\r\n"),
    ],
    ids=["get_with_body", "get_chunked", "post_chunked"],
)
def test_bodies_where_none_is_read_are_refused(web: WebServer, data: bytes) -> None:
    answer = send(web, data)
    assert answer.status == 413
    assert json.loads(answer.body)["code"] == "body_too_large"


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_body_over_the_limit_is_refused_before_it_is_sent(web: WebServer, method: str) -> None:
    answer = send(web, request(RECALCULATE, authorized(), "Content-Length: 65537", method=method))
    assert answer.status == 413
    assert answer.elapsed_s < 1 * PATIENCE


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 200, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ids=["tls_hello", "http2_preface"],
)
def test_other_protocols_are_hung_up_on(web: WebServer, data: bytes) -> None:
    answer = send(web, data)
    assert answer.status in (0, 400)
    assert answer.elapsed_s < 2.5 * PATIENCE


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("x=1", "x"),
        ("user_id=other", "user_id"),
        ("ticket=abc", "ticket"),
        ("%FF=1", "%FF".replace("%", "?")),
        ("a=1&a=2", "a"),
        ("a<script>=1", "a?script?"),
    ],
)
def test_unknown_and_malformed_parameters_are_named(web: WebServer, query: str, named: str) -> None:
    answer = send(web, request(f"{REALTIME}?{query}", authorized()))
    problem = json.loads(answer.body)
    assert (answer.status, problem["code"]) == (400, "bad_parameter")
    assert named in problem["detail"]


@pytest.mark.parametrize("query", ["wait=2", "wait=", "wait=%30%30", "wait=yes", "wait=1&wait=1", "wait=\xb2"])
def test_wait_is_0_or_1(web: WebServer, query: str) -> None:
    answer = send(web, request(f"{RECALCULATE}?{query}", authorized(), "Content-Length: 0", method="POST"))
    assert answer.status == 400
    if "\xb2" not in query:
        assert "wait" in json.loads(answer.body)["detail"]


@pytest.mark.parametrize("name", ["jwt", "token", "access_token", "JWT"])
def test_a_token_in_the_address_is_refused_and_not_logged(web: WebServer, name: str) -> None:
    good = token("raw-tenant", jti=f"in-url-{name}")
    answer = requests.get(f"{web.url}{REALTIME}?{name}={good}", timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, "token_in_url")
    assert good not in answer.text
    assert good not in web.log
    assert good.split(".")[2] not in web.log


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", REALTIME, {"GET", "HEAD", "OPTIONS"}),
        ("POST", REALTIME, {"GET", "HEAD", "OPTIONS"}),
        ("GET", RECALCULATE, {"POST", "OPTIONS"}),
        ("PUT", "/livez", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(web: WebServer, method: str, path: str, allowed: set[str]) -> None:
    answer = requests.request(method, web.url + path, headers=bearer("raw-tenant"), timeout=10)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed
    assert answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("tag", ["", "garbage", '"', "W/", '"a", W/"', "\xff", '"' * 4000])
def test_a_malformed_if_none_match_is_ignored(web: WebServer, tag: str) -> None:
    web.write("raw-tags", n=1)
    assert send(web, request(REALTIME, authorized("raw-tags"), f"If-None-Match: {tag}")).status == 200


@pytest.mark.parametrize(
    "path", ["/nope", "/api/", "/api/dashboard/realtime", "/api//dashboard/health/", "/%00", "/.."]
)
def test_an_unknown_address_is_a_404_with_the_same_body(web: WebServer, path: str) -> None:
    answer = send(web, request(path, authorized()))
    problem = json.loads(answer.body)
    assert problem.pop("request_id") in answer.head
    assert problem == {
        "type": "urn:daybook:problem:not_found",
        "title": "Not Found",
        "status": 404,
        "code": "not_found",
        "detail": "There is nothing at this address.",
    }


def test_a_trickling_head_is_cut(web: WebServer) -> None:
    answer = send(web, b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    assert answer.status == 0
    assert answer.elapsed_s < 4 * PATIENCE


@pytest.mark.parametrize("body", [b'{"a":1,"a":1}', b'{"a":"\\ud800"}', b"{", b'{"a":NaN}'])
@pytest.mark.parametrize("path", [RECALCULATE, "/api/dashboard/alerts/any/acknowledge/"])
def test_json_is_strict_even_where_nothing_is_read_from_it(web: WebServer, path: str, body: bytes) -> None:
    headers = (authorized(), "Content-Type: application/json", f"Content-Length: {len(body)}")
    answer = send(web, request(path, *headers, method="POST", body=body))
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "bad_body")


@pytest.mark.parametrize("path", ["/api/dashboard/tickets/", RECALCULATE])
def test_a_body_that_does_not_come_is_not_waited_for(web: WebServer, path: str) -> None:
    headers = (authorized(), "Content-Type: application/json", "Content-Length: 100")
    answer = send(web, request(path, *headers, method="POST", body=b'{"path'), timeout_s=20 * PATIENCE)
    assert (answer.status, json.loads(answer.body)["code"]) == (408, "body_too_slow")


def test_who_asks_and_does_not_read_is_hung_up_on(web: WebServer) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(0.1)
        client.connect(("127.0.0.1", web.port))
        with pytest.raises(ConnectionError):
            _ask_on_and_on(client, request("/static/app.js") * 10)


def _ask_on_and_on(client: socket.socket, asked: bytes) -> None:
    deadline = time.monotonic() + 40 * PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            client.send(asked)
