"""The dashboard socket as its clients see it, on a real web process."""

from __future__ import annotations

import random
import select
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import zstandard

from shared.keys import Keys
from shared.store import SnapshotWriter, SourceState
from tests.compressing import CompressingSocket
from tests.conftest import Services
from tests.live import Events, Socket, Wire, upgrade
from tests.patience import PATIENCE
from tests.servers import WebServer, eventually
from tests.tokens import bearer, token


@pytest.fixture
def tenant(web: WebServer) -> str:
    tenant_id = f"t-{uuid.uuid4().hex}"
    web.write(tenant_id, n=1)
    return tenant_id


@pytest.fixture
def client(web: WebServer, tenant: str) -> Iterator[Socket]:
    with Socket(web.port, tenant) as opened:
        opened.receive()
        opened.receive()
        yield opened


@pytest.fixture(scope="module")
def hasty(services: Services) -> Iterator[WebServer]:
    """A server with narrow limits and short intervals."""
    env = {
        "DASHBOARD_INTERVAL_MIN": "1",
        "DASHBOARD_INTERVAL_DEFAULT": "1",
        "DASHBOARD_MAX_WEBSOCKET_CONNECTIONS": "2",
        "DASHBOARD_RATE_STREAMS": "8/minute",
    }
    with WebServer(services.redis_url, Keys(f"h{uuid.uuid4().hex[:12]}"), env=env) as server:
        yield server


def test_a_socket_begins_with_its_settings_and_the_snapshot(web: WebServer, tenant: str) -> None:
    with Socket(web.port, tenant) as client:
        established = client.receive()
        update = client.receive()
    assert established.pop("timestamp").endswith("Z")
    assert established == {"type": "connection.established", "user_id": tenant, "update_interval": 30}
    assert update["type"] == "dashboard.update"
    assert update["data"].pop("version").endswith("-1")
    assert update["data"] == {"user_id": tenant, "stale": False, "n": 1}


def test_every_change_reaches_every_socket_of_its_tenant_and_no_other(web: WebServer, tenant: str) -> None:
    other_tenant = f"t-{uuid.uuid4().hex}"
    web.write(other_tenant, n=100)
    with Socket(web.port, tenant) as one, Socket(web.port, tenant) as two, Socket(web.port, other_tenant) as other:
        for client in (one, two, other):
            client.receive_type("dashboard.update")
        version = web.write(tenant, n=2)
        for client in (one, two):
            update = client.receive_type("dashboard.update")
            assert (update["data"]["n"], update["data"]["version"]) == (2, str(version))
        other.send({"type": "ping"})
        assert other.receive()["type"] == "pong"


def test_configure_changes_the_interval_within_its_bounds_only(client: Socket) -> None:
    client.send({"type": "configure", "config": {"update_interval": 60}})
    assert client.receive() == {"type": "configuration.updated", "config": {"update_interval": 60}}
    for interval in (9, 301, -1, 10**12):
        client.send({"type": "configure", "config": {"update_interval": interval}})
        assert client.receive()["code"] == "out_of_range"
        client.send({"type": "ping"})
        assert client.receive()["type"] == "pong"


def test_request_update_sends_the_newest_snapshot(client: Socket) -> None:
    client.send({"type": "request_update"})
    assert client.receive()["data"]["n"] == 1


def test_every_interval_the_newest_is_sent_with_what_was_refreshed_in_place(hasty: WebServer) -> None:
    tenant = f"t-{uuid.uuid4().hex}"
    version = hasty.write(tenant, n=1)
    with Socket(hasty.port, tenant) as client:
        first = client.receive_type("dashboard.update")
        client.send({"type": "configure", "config": {"update_interval": 1}})
        stored: Any = hasty.client.hget(hasty.keys.snapshot(tenant), "snapshot")
        refreshed = zstandard.decompress(stored).replace(b'"n": 1', b'"n": 1, "age": 5')
        hasty.client.hset(hasty.keys.snapshot(tenant), "snapshot", zstandard.compress(refreshed))
        update = client.receive_type("dashboard.update", where=lambda m: "age" in m["data"])
    assert first["data"]["version"] == update["data"]["version"] == str(version)


def test_a_token_that_expires_closes_the_socket_unless_it_was_refreshed(web: WebServer, tenant: str) -> None:
    short = token(tenant, ttl_s=4)
    with Socket(web.port, tenant, jwt=short) as lapsing, Socket(web.port, tenant, jwt=short) as refreshing:
        refreshing.send({"type": "refresh", "token": token(tenant, ttl_s=3600)})
        answer = refreshing.receive_type("token.refreshed")
        started = time.monotonic()
        assert lapsing.closed() == 4401
        assert time.monotonic() - started < 5 * PATIENCE
        refreshing.send({"type": "ping"})
        assert refreshing.receive_type("pong")
    assert answer["expires_at"].endswith("Z")


def test_a_refresh_must_be_of_the_same_person_and_tenant(web: WebServer, tenant: str) -> None:
    for jwt, code in (
        (token("someone-else", tenant_id=tenant), 4403),
        (token(tenant, tenant_id="another"), 4403),
        (token(tenant, ttl_s=-60), 4401),
    ):
        with Socket(web.port, tenant) as client:
            client.send({"type": "refresh", "token": jwt})
            assert client.closed() == code


def test_a_refresh_with_an_invalid_token_is_an_error_and_changes_nothing(client: Socket) -> None:
    for jwt in ("nonsense", "", "a.b.c", "\ud800", token("t", secret="another secret of more than 32 bytes")):
        client.send({"type": "refresh", "token": jwt})
        assert client.receive()["type"] == "error"
        client.send({"type": "ping"})
        assert client.receive()["type"] == "pong"


def test_a_tenant_that_is_absent_for_a_moment_keeps_its_sockets(web: WebServer, tenant: str, client: Socket) -> None:
    later = SourceState(lineage="test/1", state=time.time_ns() // 1000, as_of_ms=time.time_ns() // 1_000_000)
    with Socket(web.port, tenant, path="/ws/dashboard/notifications/{}/") as notifications:
        SnapshotWriter(web.client, web.keys).remove([tenant], later)
        for socket in (client, notifications):
            told = socket.receive_type("dashboard.status")
            assert (told["stale"], told["reason"]) == (True, "unknown_tenant")
            assert told["since"] is not None
        with Wire(web.port) as wire:
            refused = upgrade(wire, f"/ws/dashboard/{tenant}/", f"Authorization: Bearer {token(tenant)}")
        assert refused.startswith("HTTP/1.1 404 ")
        back = web.write(tenant, n="back")
        assert client.receive_type("dashboard.update")["data"]["version"] == str(back)
        for socket in (client, notifications):
            assert not socket.receive_type("dashboard.status")["stale"]


def test_over_its_connections_or_openings_a_tenant_is_refused_before_the_upgrade(hasty: WebServer) -> None:
    tenant = f"t-{uuid.uuid4().hex}"
    hasty.write(tenant, n=1)
    path, authorization = f"/ws/dashboard/{tenant}/", f"Authorization: Bearer {token(tenant)}"
    with Socket(hasty.port, tenant), Socket(hasty.port, tenant) as second:
        with Wire(hasty.port) as third:
            answer = upgrade(third, path, authorization)
        assert answer.startswith("HTTP/1.1 429 ")
        assert "Retry-After:" in answer
        assert "RateLimit-Limit: 2" in answer
        second.socket.close()
        eventually(lambda: hasty.client.zcard(hasty.keys.connections(tenant)) <= 1, within_s=2)
        with Socket(hasty.port, tenant) as fourth:
            fourth.receive()
    answers = []
    for _ in range(8):
        with Wire(hasty.port) as wire:
            answers.append(upgrade(wire, path, authorization).split("\r\n")[0])
    assert answers[-1].startswith("HTTP/1.1 429 ")


@pytest.mark.parametrize("kind", [Socket, CompressingSocket])
def test_a_slow_reader_skips_versions_and_its_frames_stay_whole(web: WebServer, kind: type[Socket]) -> None:
    tenant = f"t-{uuid.uuid4().hex}"
    web.write(tenant, n=0)
    with kind(web.port, tenant, receive_buffer=4096) as slow, Socket(web.port, tenant) as quick:
        quick.receive_type("dashboard.update")
        for n in range(1, 200):
            # What cannot be made short.
            web.write(tenant, n=n, pad=random.Random(n).randbytes(10_000).hex())
        quick.receive_type("dashboard.update", where=lambda m: m["data"]["n"] == 199)
        slow.receive_type("dashboard.update", where=lambda m: m["data"]["n"] == 0)
        seen = [0]
        while seen[-1] < 199:
            seen.append(slow.receive_type("dashboard.update")["data"]["n"])
    assert seen == sorted(seen)
    assert len(seen) < 100


def test_a_client_that_never_reads_is_closed_and_can_read_why_later(web: WebServer) -> None:
    tenant = f"t-{uuid.uuid4().hex}"
    web.write(tenant, n=0)
    with Socket(web.port, tenant, receive_buffer=4096) as stalled:
        deadline = time.monotonic() + 20 * PATIENCE
        n = 0
        while web.client.zcard(web.keys.connections(tenant)):
            n += 1
            web.write(tenant, n=n, pad="x" * 50_000)
            assert time.monotonic() < deadline, "the stalled client is still served"
            time.sleep(0.02)
        assert stalled.closed() == 4408


def test_peers_are_served_at_once_while_others_do_not_read(web: WebServer) -> None:
    tenant = f"t-{uuid.uuid4().hex}"
    web.write(tenant, n=0)
    stalled = [Socket(web.port, tenant, receive_buffer=4096) for _ in range(20)]
    with Socket(web.port, tenant) as quick:
        quick.receive_type("dashboard.update")
        worst_s = 0.0
        for n in range(1, 40):
            started = time.monotonic()
            web.write(tenant, n=n, pad="x" * 20_000)
            quick.receive_type("dashboard.update", where=_numbered(n))
            worst_s = max(worst_s, time.monotonic() - started)
    for client in stalled:
        client.socket.close()
    assert worst_s < 1.0 * PATIENCE


def test_a_client_that_answers_no_ping_is_forgotten_and_one_that_does_is_not(web: WebServer, tenant: str) -> None:
    with Socket(web.port, tenant, pongs=False) as half_open, Socket(web.port, tenant) as alive:
        half_open.socket.settimeout(60 * PATIENCE)
        alive.socket.settimeout(60 * PATIENCE)
        reader = threading.Thread(target=alive.receive_type, args=("pong",), kwargs={"within_s": 60})
        reader.start()
        started = time.monotonic()
        half_open.cut_off()
        assert 35 < time.monotonic() - started < 40 * PATIENCE
        assert reader.is_alive()
        alive.send({"type": "ping"})
        reader.join(5 * PATIENCE)
        assert not reader.is_alive()


def _numbered(n: int) -> Callable[[dict[str, Any]], bool]:
    return lambda message: bool(message["data"]["n"] == n)


def test_who_was_told_that_it_is_stale_is_not_given_what_was_fresh_a_moment_ago(services: Services) -> None:
    env = {"DASHBOARD_RATE_REQUESTS": "100000/minute", "DASHBOARD_RATE_REQUESTS_PER_USER": "100000/minute"}
    with WebServer(services.redis_url, Keys(f"y{uuid.uuid4().hex[:12]}"), env=env) as web:
        web.write("t", n=1)
        with Socket(web.port, "t") as client:
            client.receive_type("dashboard.update")
            web.beat.database_ms = None
            while not select.select([client.socket], [], [], 0.02)[0]:
                # So that there is always a reading that is young enough to be given again.
                requests.get(f"{web.url}/api/dashboard/realtime/aggregate/", headers=bearer("t"), timeout=10)
            assert client.receive_type("dashboard.status")["reason"] == "database_unavailable"
            client.send({"type": "request_update"})
            assert client.receive_type("dashboard.update")["data"]["stale"] is True


@pytest.mark.parametrize("path", ["/ws/dashboard/{}/", "/ws/dashboard/notifications/{}/"])
def test_a_token_that_is_revoked_closes_its_sockets_at_once_and_no_others(
    web: WebServer, tenant: str, path: str
) -> None:
    token_ids = [f"{tenant}-{number}" for number in range(3)]
    tokens = [token(tenant, jti=token_id) for token_id in token_ids]
    first, second, third = (Socket(web.port, tenant, jwt=one, path=path) for one in tokens)
    with first, second, third:
        for client in (first, second, third):
            client.receive()
        # It was opened with the token that is revoked, and has another one by now.
        second.send({"type": "refresh", "token": tokens[2]})
        second.receive_type("token.refreshed")
        for token_id in token_ids[:2]:
            web.client.set(web.keys.revoked(token_id), 1, ex=60)
        revoked = time.monotonic()
        assert first.closed() == 4401
        assert time.monotonic() - revoked < 2 * PATIENCE
        for client in (second, third):
            client.send({"type": "ping"})
            assert client.receive_type("pong")


def test_a_token_that_is_revoked_ends_its_streams_at_once(web: WebServer, tenant: str) -> None:
    with Events(web.port, tenant, jwt=token(tenant, jti=tenant)) as stream:
        stream.receive_type("dashboard_update")
        web.client.set(web.keys.revoked(tenant), 1, ex=60)
        revoked = time.monotonic()
        assert stream.receive_type("stream_end")["reason"] == "token_expired"
        assert time.monotonic() - revoked < 2 * PATIENCE
