"""The stream as its clients see it, on a real web process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
import requests

from shared.keys import Keys
from shared.store import SnapshotWriter, SourceState
from shared.versions import Version
from tests.conftest import Services
from tests.live import Events
from tests.patience import PATIENCE
from tests.servers import WebServer, eventually
from tests.tokens import bearer, token

PATH = "/api/dashboard/streaming/aggregate/"


@pytest.fixture
def tenant(web: WebServer) -> str:
    tenant_id = f"t-{uuid.uuid4().hex}"
    web.write(tenant_id, n=1)
    return tenant_id


@pytest.fixture(scope="module")
def hasty(services: Services) -> Iterator[WebServer]:
    """A server with short intervals."""
    env = {"DASHBOARD_INTERVAL_MIN": "1"}
    with WebServer(services.redis_url, Keys(f"h{uuid.uuid4().hex[:12]}"), env=env) as server:
        yield server


def test_a_stream_begins_with_the_connection_and_the_snapshot(web: WebServer, tenant: str) -> None:
    with Events(web.port, tenant, "?interval=60&max_updates=5") as stream:
        assert " 200 OK" in stream.head
        assert "text/event-stream" in stream.head
        connection, update = stream.receive(), stream.receive()
    assert 1000 <= int(connection.pop("_retry")) <= 3000
    assert connection.pop("timestamp").endswith("Z")
    assert connection == {"type": "connection", "user_id": tenant, "interval": 60, "max_updates": 5}
    assert update.pop("_id") == update.pop("version")
    assert update == {"type": "dashboard_update", "sequence": 1, "user_id": tenant, "stale": False, "n": 1}


def test_every_change_is_an_event_until_max_updates(web: WebServer, tenant: str) -> None:
    with Events(web.port, tenant, "?max_updates=3") as stream:
        stream.receive_type("dashboard_update")
        for n in (2, 3):
            version = web.write(tenant, n=n)
            update = stream.receive()
            assert (update["n"], update["sequence"], update["_id"]) == (n, n, str(version))
        assert stream.receive()["reason"] == "max_updates"
        with pytest.raises(ConnectionError):
            stream.receive()
        assert stream.ended


def test_every_interval_the_newest_is_sent_although_nothing_changed(hasty: WebServer) -> None:
    tenant = f"t-{uuid.uuid4().hex}"
    hasty.write(tenant, n=1)
    with Events(hasty.port, tenant, "?interval=1") as stream:
        started = time.monotonic()
        assert [stream.receive_type("dashboard_update")["sequence"] for _ in range(3)] == [1, 2, 3]
        assert 1.8 < time.monotonic() - started < 4 * PATIENCE


@pytest.mark.parametrize(
    "query",
    [
        "?interval=9", "?interval=301", "?interval=30.0", "?interval=%2B30", "?interval=%D9%A3%D9%A0", "?interval=",
        "?interval=30&interval=30", "?max_updates=0", "?max_updates=1001", "?max_updates=-1", "?other=1",
    ],
)  # fmt: skip
def test_parameters_out_of_range_or_not_plain_digits_are_refused_by_name(
    web: WebServer, tenant: str, query: str
) -> None:
    answer = requests.get(web.url + PATH + query, headers=bearer(tenant), timeout=5)
    assert answer.status_code == 400
    assert query[1:].split("=")[0] in answer.json()["detail"]


def test_a_last_event_id_that_is_current_brings_no_snapshot_until_the_next_change(web: WebServer, tenant: str) -> None:
    current = web.write(tenant, n=2)
    with Events(web.port, tenant, "", f"Last-Event-ID: {current}") as stream:
        assert stream.receive()["type"] == "connection"
        version = web.write(tenant, n=3)
        update = stream.receive()
        assert (update["_id"], update["sequence"]) == (str(version), 1)


def test_a_last_event_id_that_is_current_brings_the_snapshot_at_the_interval(hasty: WebServer) -> None:
    tenant = f"t-{uuid.uuid4().hex}"
    current = hasty.write(tenant, n=1)
    with Events(hasty.port, tenant, "?interval=1", f"Last-Event-ID: {current}") as stream:
        started = time.monotonic()
        assert stream.receive_type("dashboard_update")["_id"] == str(current)
        assert time.monotonic() - started > 0.8


@pytest.mark.parametrize("last", ["garbage", "%00", "1-1", "0-0", "x" * 500, "é", "-1", "1795428245703-"])
def test_a_last_event_id_of_another_time_brings_the_snapshot(web: WebServer, tenant: str, last: str) -> None:
    with Events(web.port, tenant, "", f"Last-Event-ID: {last}") as stream:
        stream.receive()
        assert stream.receive()["n"] == 1


def test_an_older_last_event_id_brings_the_snapshot(web: WebServer, tenant: str) -> None:
    older = web.write(tenant, n=2)
    web.write(tenant, n=3)
    with Events(web.port, tenant, "", f"Last-Event-ID: {older}") as stream:
        stream.receive()
        assert stream.receive()["n"] == 3


def test_a_future_last_event_id_has_the_epoch_ended_before_less_is_sent(web: WebServer, tenant: str) -> None:
    current = web.write(tenant, n=2)
    future = Version(current.epoch, current.revision + 5)
    with Events(web.port, tenant, "", f"Last-Event-ID: {future}") as stream:
        stream.receive()
        # No worker runs here: this is what dashboard.end_epoch does.
        SnapshotWriter(web.client, web.keys).end_epoch(tenant, future)
        renewed = web.write(tenant, n=3)
        update = stream.receive()
    assert renewed.epoch != current.epoch
    assert update["_id"] == str(renewed)


def test_a_future_last_event_id_that_nothing_comes_of_gets_what_there_is(web: WebServer, tenant: str) -> None:
    current = web.write(tenant, n=2)
    future = Version(current.epoch, current.revision + 5)
    with Events(web.port, tenant, "", f"Last-Event-ID: {future}") as stream:
        stream.receive()
        assert stream.receive()["_id"] == str(current)


def test_a_quiet_stream_is_kept_alive_by_comments(web: WebServer, tenant: str) -> None:
    with Events(web.port, tenant, "?interval=300") as stream:
        stream.receive_type("dashboard_update")
        stream.socket.settimeout(20 * PATIENCE)
        started = time.monotonic()
        assert stream.block() == b": heartbeat"
        assert 14 < time.monotonic() - started < 17 * PATIENCE


def test_a_token_that_expires_ends_the_stream(web: WebServer, tenant: str) -> None:
    with Events(web.port, tenant, jwt=token(tenant, ttl_s=4)) as stream:
        assert stream.receive_type("stream_end")["reason"] == "token_expired"
        with pytest.raises(ConnectionError):
            stream.receive()
        assert stream.ended


def test_a_tenant_that_is_absent_for_a_moment_keeps_its_streams(web: WebServer, tenant: str) -> None:
    with Events(web.port, tenant) as stream:
        stream.receive_type("dashboard_update")
        later = SourceState(lineage="test/1", state=time.time_ns() // 1000, as_of_ms=time.time_ns() // 1_000_000)
        SnapshotWriter(web.client, web.keys).remove([tenant], later)
        assert stream.receive_type("status")["reason"] == "unknown_tenant"
        back = web.write(tenant, n="back")
        assert stream.receive_type("dashboard_update")["version"] == str(back)


def test_a_stream_needs_a_token_and_a_cookie_its_origin(web: WebServer, tenant: str) -> None:
    cookie = {"Cookie": f"access_token_cookie={token(tenant)}"}
    for headers, status in (
        ({}, 401),
        (bearer(tenant, exp=int(time.time()) - 60), 401),
        (cookie, 403),
        (cookie | {"Origin": "https://evil.example"}, 403),
        (cookie | {"Origin": "null"}, 403),
        (cookie | {"Sec-Fetch-Site": "cross-site"}, 403),
        (cookie | {"Sec-Fetch-Site": "same-origin"}, 200),
        (cookie | {"Origin": web.url}, 200),
    ):
        with requests.get(web.url + PATH, headers=headers, stream=True, timeout=5) as answer:
            assert answer.status_code == status, headers


def test_a_client_that_leaves_gives_its_place_back_at_once(web: WebServer, tenant: str) -> None:
    with Events(web.port, tenant) as stream:
        stream.receive_type("dashboard_update")
        assert web.client.zcard(web.keys.connections(tenant)) == 1
    eventually(lambda: web.client.zcard(web.keys.connections(tenant)) == 0, within_s=2)


def test_a_client_that_never_reads_is_cut_off(web: WebServer, tenant: str) -> None:
    with Events(web.port, tenant, "?max_updates=1000", receive_buffer=4096) as stalled:
        deadline = time.monotonic() + 25 * PATIENCE
        n = 1
        while web.client.zcard(web.keys.connections(tenant)):
            n += 1
            web.write(tenant, n=n, pad="x" * 50_000)
            assert time.monotonic() < deadline, "the stalled client is still served"
            time.sleep(0.02)
        stalled.cut_off()
        assert not stalled.ended
    assert "Socket error processing request" not in web.log


def test_a_kept_alive_connection_serves_requests_after_a_stream(web: WebServer, tenant: str) -> None:
    with requests.Session() as session:
        with session.get(f"{web.url}{PATH}?max_updates=1", headers=bearer(tenant), timeout=5) as stream:
            assert "stream_end" in stream.text
        assert session.get(f"{web.url}/livez", timeout=5).ok
