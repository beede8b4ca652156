"""Snapshots over HTTP: who may read them, with what headers, how often, and what errors look like."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
import requests

from shared.keys import Keys
from shared.store import SnapshotWriter, SourceState
from tests.conftest import Services
from tests.raw import Answer, request, send
from tests.servers import WebServer, eventually
from tests.tokens import bearer, token

REALTIME = "/api/dashboard/realtime/aggregate/"
OVERVIEW = "/api/dashboard/overview/"
HEALTH = "/api/dashboard/health/"
RECALCULATE = "/api/dashboard/realtime/recalculate/"
ALLOWED = "https://app.example.com"


@pytest.fixture
def tenant() -> str:
    return f"rest-{uuid4().hex}"


@pytest.fixture(scope="module")
def strict(services: Services) -> Iterator[WebServer]:
    """A web process with low limits, an allowed origin and host names of its own."""
    env = {
        "DASHBOARD_RATE_REQUESTS": "3/hour",
        "DASHBOARD_RATE_RECALCULATIONS": "1/hour",
        "DASHBOARD_ALLOWED_ORIGINS": ALLOWED,
        "DASHBOARD_TRUSTED_HOSTS": "dash.example.com",
        "DASHBOARD_TRUSTED_PROXIES": "127.0.0.1",
    }
    with WebServer(services.redis_url, Keys(f"w{uuid4().hex[:12]}"), env) as server:
        yield server


def get(web: WebServer, path: str, **headers: str) -> requests.Response:
    return requests.get(web.url + path, headers=headers, timeout=10)


@pytest.mark.parametrize("path", [REALTIME, OVERVIEW])
def test_a_snapshot_is_served_as_stored_with_version_and_stale(web: WebServer, tenant: str, path: str) -> None:
    version = web.write(tenant, score=85.5)
    answer = get(web, path, **bearer(tenant))
    assert answer.status_code == 200
    assert answer.json() == {"version": str(version), "stale": False, "user_id": tenant, "score": 85.5}
    assert answer.headers["ETag"] == f'W/"{version}"'
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Vary"] == "Accept-Encoding, Authorization, Cookie"


@pytest.mark.parametrize("path", [REALTIME, OVERVIEW])
def test_a_body_is_compressed_for_who_asks_for_it_and_is_the_same_for_others(
    web: WebServer, tenant: str, path: str
) -> None:
    version = web.write(tenant, pad="same " * 400)

    def ask(accepted: str | None, method: str = "GET", *more: str) -> Answer:
        headers = [f"Authorization: Bearer {token(tenant)}", *more]
        return send(
            web, request(path, *headers, *([f"Accept-Encoding: {accepted}"] if accepted else []), method=method)
        )

    plain = ask(None).body
    # Over and over: answers that are repeated are of the right form as well.
    for accepted, is_packed in (
        *(("gzip", True), (None, False), ("gzip;q=0", False), ("br, gzip;q=0.5", True), ("*", True)),
        *(("identity", False), ("gzip;q=0, *", False), ("gzip;q=0.5, identity", False), ("deflate", False)),
    ) * 3:
        answer = ask(accepted)
        assert answer.status == 200, accepted
        assert ("Content-Encoding: gzip" in answer.head) is is_packed, accepted
        assert (gzip.decompress(answer.body) if is_packed else answer.body) == plain
        assert f'ETag: W/"{version}"' in answer.head
        assert "Accept-Encoding" in _vary(answer)
        if is_packed:
            assert len(answer.body) * 10 < len(plain)
            assert f"Content-Length: {len(answer.body)}" in answer.head
        known = ask(accepted, "GET", f'If-None-Match: W/"{version}"')
        assert (known.status, known.body) == (304, b"")
        assert _vary(known) == {*_vary(answer), "Accept-Encoding"}


def _vary(answer: Answer) -> set[str]:
    (line,) = (line for line in answer.head.split("\r\n") if line.startswith("Vary: "))
    return set(line.removeprefix("Vary: ").split(", "))


def test_the_head_alone_is_that_of_the_body_that_would_come(web: WebServer, tenant: str) -> None:
    web.write(tenant, pad="same " * 400)
    for accepted in ("gzip", "identity"):
        asked = {**bearer(tenant), "Accept-Encoding": accepted}
        whole = requests.get(web.url + REALTIME, headers=asked, timeout=10)
        head = requests.head(web.url + REALTIME, headers=asked, timeout=10)
        for name in ("Content-Length", "Content-Encoding", "ETag", "Vary", "Content-Type"):
            assert head.headers.get(name) == whole.headers.get(name), name
        assert head.content == b""


@pytest.mark.parametrize("tags", ['W/"{}"', '"{}"', '"old", W/"{}"', "*"])
def test_a_known_version_is_not_sent_again(web: WebServer, tenant: str, tags: str) -> None:
    version = web.write(tenant, n=1)
    answer = get(web, REALTIME, **bearer(tenant), **{"If-None-Match": tags.format(version)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == f'W/"{version}"'
    newer = web.write(tenant, n=2)
    if tags != "*":
        answer = get(web, REALTIME, **bearer(tenant), **{"If-None-Match": tags.format(version)})
        assert (answer.status_code, answer.json()["version"]) == (200, str(newer))


def test_a_late_snapshot_is_stale_and_its_tag_says_so(web: WebServer, tenant: str) -> None:
    # Nobody has looked at it: then it is swept once a day.
    version = web.write(tenant, as_of_ms=int((time.time() - 2 * 86_400 - 1) * 1000), n=1)
    answer = get(web, REALTIME, **bearer(tenant), **{"If-None-Match": f'W/"{version}"'})
    assert (answer.status_code, answer.json()["stale"]) == (200, True)
    assert get(web, REALTIME, **bearer(tenant), **{"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_head_is_get_without_its_body(web: WebServer, tenant: str) -> None:
    web.write(tenant, n=1)
    answer = requests.head(web.url + REALTIME, headers=bearer(tenant), timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")


def test_each_tenant_sees_its_own_snapshot_only(web: WebServer, tenant: str) -> None:
    web.write(tenant, secret="ours")
    other = f"other-{tenant}"
    web.write(other, secret="theirs")
    assert get(web, REALTIME, **bearer(tenant)).json()["secret"] == "ours"
    assert get(web, REALTIME, **bearer("person", tenant_id=other)).json()["secret"] == "theirs"


@pytest.mark.parametrize("path", [REALTIME, OVERVIEW, HEALTH])
def test_a_request_without_a_good_token_is_told_to_authenticate(web: WebServer, path: str) -> None:
    for headers, code in (
        ({}, "token_missing"),
        ({"Authorization": "Basic YTpi"}, "token_invalid"),
        ({"Authorization": "Bearer"}, "token_invalid"),
        ({"Authorization": f"{token()}"}, "token_invalid"),
        ({"Authorization": f"Bearer {token()}, Bearer {token()}"}, "token_invalid"),
        ({"Authorization": "Bearer " + token(ttl_s=-5)}, "token_expired"),
    ):
        answer = get(web, path, **headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="daybook"')


@pytest.mark.parametrize("path", [REALTIME, OVERVIEW, "/api/dashboard/alerts/"])
def test_a_token_that_is_limited_to_a_view_never_sees_everything(web: WebServer, tenant: str, path: str) -> None:
    """No view is defined, and whoever issued the token wanted less than all to be seen."""
    web.write(tenant, n=1)
    for view in ("operations", "", 7):
        answer = get(web, path, **bearer(tenant, dashboard_view=view))
        assert (answer.status_code, answer.json()["code"]) == (403, "unknown_view")


def test_a_revoked_token_is_refused_within_a_second(web: WebServer, tenant: str) -> None:
    web.write(tenant, n=1)
    headers = bearer(tenant, jti=tenant)
    assert get(web, REALTIME, **headers).status_code == 200
    web.client.set(web.keys.revoked(tenant), 1, ex=60)
    answer = eventually(lambda: get(web, REALTIME, **headers), lambda a: a.status_code != 200, within_s=2)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert get(web, REALTIME, **bearer(tenant, jti="another")).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": ALLOWED}, 200),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://app.example.com.evil.example"}, 403),
        ({"Origin": "https://evilapp.example.com"}, 403),
        ({"Origin": "http://app.example.com"}, 403),
        ({"Origin": "https://app.example.com:444"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({}, 403),
    ],
)
def test_a_cookie_counts_only_from_our_own_pages(
    strict: WebServer, tenant: str, headers: dict[str, str], status: int
) -> None:
    strict.write(tenant, n=1)
    cookie = {"Cookie": f"access_token_cookie={token(tenant)}"}
    sent = {name: value.format(port=strict.port) for name, value in headers.items()}
    assert get(strict, REALTIME, **cookie, **sent).status_code == status


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": "https://evil.example"}])
def test_a_cookie_without_a_good_origin_changes_nothing(strict: WebServer, headers: dict[str, str]) -> None:
    cookie = {"Cookie": f"access_token_cookie={token()}"}
    answer = requests.post(strict.url + RECALCULATE, headers={**cookie, **headers}, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_forbidden")


def test_behind_a_proxy_our_own_origin_has_its_scheme_and_name(strict: WebServer, tenant: str) -> None:
    strict.write(tenant, n=1)
    headers = {
        "Host": "dash.example.com",
        "X-Forwarded-Proto": "https",
        "Cookie": f"access_token_cookie={token(tenant)}",
    }
    assert get(strict, REALTIME, **headers, Origin="https://dash.example.com").status_code == 200
    assert get(strict, REALTIME, **headers, Origin="http://dash.example.com").status_code == 403


def test_a_bearer_token_needs_no_origin(strict: WebServer, tenant: str) -> None:
    strict.write(tenant, n=1)
    answer = get(strict, REALTIME, **bearer(tenant), Origin="https://evil.example")
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_allowed_origins_get_cors_headers_and_preflights(strict: WebServer, tenant: str) -> None:
    strict.write(tenant, n=1)
    answer = get(strict, REALTIME, **bearer(tenant), Origin=ALLOWED)
    assert answer.headers["Access-Control-Allow-Origin"] == ALLOWED
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = requests.options(strict.url + RECALCULATE, headers={"Origin": ALLOWED, **asked}, timeout=10)
    assert answer.status_code == 204
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    answer = requests.options(strict.url + RECALCULATE, headers={"Origin": "https://evil.example", **asked}, timeout=10)
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_errors_carry_cors_headers_too(strict: WebServer) -> None:
    answer = get(strict, REALTIME, Origin=ALLOWED)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, ALLOWED)


def test_over_the_rate_is_429_and_a_304_counts_nothing(strict: WebServer, tenant: str) -> None:
    version = strict.write(tenant, n=1)
    for remaining in (2, 1, 0):
        answer = get(strict, REALTIME, **bearer(tenant))
        assert (answer.status_code, answer.headers["RateLimit-Remaining"]) == (200, str(remaining))
        assert get(strict, REALTIME, **bearer(tenant), **{"If-None-Match": f'W/"{version}"'}).status_code == 304
    answer = get(strict, REALTIME, **bearer(tenant))
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.headers["RateLimit-Limit"] == "3"
    assert answer.headers["RateLimit-Remaining"] == "0"
    assert 3500 <= int(answer.headers["RateLimit-Reset"]) <= 3600
    assert answer.headers["Retry-After"] == answer.headers["RateLimit-Reset"]
    other = f"other-{tenant}"
    strict.write(other, n=1)
    assert get(strict, REALTIME, **bearer(other)).status_code == 200


def test_a_request_for_what_is_not_there_counts_too(strict: WebServer, tenant: str) -> None:
    source = SourceState(lineage="test/1", state=1, as_of_ms=1)
    SnapshotWriter(strict.client, strict.keys).remove([tenant], source)
    for path, status in ((REALTIME, 404), (OVERVIEW, 404), (REALTIME, 404), (REALTIME, 429)):
        answer = get(strict, path, **bearer(tenant))
        assert (answer.status_code, answer.headers["RateLimit-Limit"]) == (status, "3")


def test_the_rate_of_recalculations_is_its_own(strict: WebServer, tenant: str) -> None:
    for status in (202, 429):
        answer = requests.post(f"{strict.url}{RECALCULATE}?wait=0", headers=bearer(tenant), timeout=10)
        assert answer.status_code == status
    strict.write(tenant, n=1)
    assert get(strict, REALTIME, **bearer(tenant)).status_code == 200


def test_a_request_id_is_kept_or_made_and_logged(web: WebServer, tenant: str) -> None:
    web.write(tenant, n=1)
    given = f"id-{uuid4().hex}"
    assert get(web, REALTIME, **bearer(tenant), **{"X-Request-ID": given}).headers["X-Request-ID"] == given
    (line,) = [e for e in web.events if e.get("request_id") == given and e["event"] == "request"]
    assert line["tenant_id"] == tenant
    for bad in ("a b", "x" * 65, "é", ""):
        made = send(web, request("/livez", f"X-Request-ID: {bad}")).head.split("X-Request-ID: ")[1].split("\r\n")[0]
        assert made != bad
        assert len(made) == 32


def test_no_token_is_ever_logged(web: WebServer, tenant: str) -> None:
    good = token(tenant)
    get(web, REALTIME, Authorization=f"Bearer {good}")
    get(web, REALTIME, Cookie=f"access_token_cookie={good}")
    get(web, f"/nope?ticket=abcdef-{tenant}")
    send(web, f"GET /{good} HTTP/9.9\r\nAuthorization: Bearer {good}\r\n\r\n".encode())
    assert good not in web.log
    assert f"abcdef-{tenant}" not in web.log


@pytest.mark.parametrize("path", [REALTIME, "/nope", f"{REALTIME}?x=1"])
def test_every_error_is_a_problem_with_the_same_fields(web: WebServer, path: str) -> None:
    answer = get(web, path, **bearer("nobody", tenant_id=3 if path == REALTIME else "x"))
    problem: dict[str, Any] = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "code", "detail", "request_id"}
    assert problem["status"] == answer.status_code
    assert problem["title"] == HTTPStatus(answer.status_code).phrase
    assert problem["request_id"] == answer.headers["X-Request-ID"]


def test_health_tells_of_every_component(web: WebServer, tenant: str) -> None:
    answer = get(web, HEALTH, **bearer(tenant))
    health = answer.json()
    assert (answer.status_code, health["status"]) == (200, "healthy")
    assert set(health["components"]) == {"database", "cache", "aggregation_service"}
    assert all(component["status"] == "healthy" for component in health["components"].values())
    assert health["performance"] == {
        "response_time_ms": health["response_time_ms"],
        "performance_grade": "excellent",
    }


def test_operations_need_no_token(web: WebServer) -> None:
    assert get(web, "/livez").json() == {"status": "alive"}
    assert get(web, "/version").json()["name"] == "daybook"
    eventually(lambda: get(web, "/readyz").status_code, lambda status: status == 200)


def test_metrics_count_requests_without_naming_tenants(web: WebServer, tenant: str) -> None:
    web.write(tenant, n=1)
    get(web, REALTIME, **bearer(tenant))
    get(web, f"/{tenant}")
    text = get(web, "/metrics").text
    assert f'dashboard_request_seconds_count{{route="{REALTIME}",status="200"}}' in text
    assert 'dashboard_snapshot_reads_total{source="store"}' in text
    assert tenant not in text


def test_several_processes_answer_with_metrics_of_all(services: Services, tenant: str) -> None:
    keys = Keys(f"w{uuid4().hex[:12]}")
    with WebServer(services.redis_url, keys, {"WEB_CONCURRENCY": "2"}) as web:
        for _ in range(20):
            # Each on a connection of its own, so that both processes get some.
            assert get(web, "/version").status_code == 200
        counts = {line for line in get(web, "/metrics").text.splitlines() if 'seconds_count{route="/version"' in line}
        assert counts == {'dashboard_request_seconds_count{route="/version",status="200"} 20.0'}


def test_bad_settings_stop_the_start_and_are_all_named(services: Services) -> None:
    server = WebServer(services.redis_url, Keys("bad"), {"PORT": "x", "JWT_SECRET_KEY": "short-secret"}, beating=False)
    with pytest.raises(AssertionError) as failed, server:
        pass
    assert "PORT" in str(failed.value)
    assert "JWT_SECRET_KEY" in str(failed.value)
    assert "short-secret" not in str(failed.value)
    assert server.process.returncode != 0
