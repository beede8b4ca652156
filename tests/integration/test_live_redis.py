"""What sockets and streams see while Redis is killed, frozen, emptied, silent or behind: the end is always right."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cli.local.embedded import Valkey
from shared.keys import Keys
from shared.store import SnapshotWriter
from shared.versions import Version
from tests.live import Events, Socket, Wire, upgrade
from tests.patience import PATIENCE
from tests.proxy import Proxy
from tests.servers import WebServer, eventually
from tests.tokens import token


@pytest.fixture
def web(own_valkey: Valkey) -> Iterator[WebServer]:
    with WebServer(own_valkey.url(), Keys("live")) as server:
        yield server


def _opened(web: WebServer, tenant: str = "t") -> Socket:
    client = Socket(web.port, tenant)
    client.receive_type("dashboard.update")
    client.socket.settimeout(20 * PATIENCE)
    return client


def _queued(web: WebServer) -> list[tuple[str, object]]:
    """The tasks that the web process sent, none of which is taken here: (name, arguments)."""
    tasks = []
    for key in web.client.scan_iter("*commands"):
        if web.client.type(key) == b"list":
            for raw in web.client.lrange(key, 0, -1):
                message = json.loads(raw)
                tasks.append((message["headers"]["task"], message["headers"]["argsrepr"]))
    return tasks


def test_a_process_holds_one_subscription_whatever_the_number_of_clients(web: WebServer) -> None:
    for tenant in ("a", "b", "c"):
        web.write(tenant, n=1)
    with contextlib.ExitStack() as stack:
        for tenant in ("a", "b", "c"):
            for _ in range(5):
                stack.enter_context(_opened(web, tenant))
            stack.enter_context(Events(web.port, tenant)).receive_type("dashboard_update")
        assert len(web.client.client_list(_type="pubsub")) == 1


def test_a_redis_that_is_killed_and_comes_back_loses_no_client_and_no_final_state(
    web: WebServer, own_valkey: Valkey
) -> None:
    before = web.write("t", n=1)
    with _opened(web) as client, Events(web.port, "t") as stream:
        stream.receive_type("dashboard_update")
        assert own_valkey.process
        own_valkey.process.kill()
        own_valkey.process.wait()
        killed = time.monotonic()
        status = client.receive_type("dashboard.status")
        assert time.monotonic() - killed < 4 * PATIENCE
        assert (status["stale"], status["reason"]) == (True, "redis_unavailable")
        assert status["since"].endswith("Z")
        assert stream.receive_type("status")["reason"] == "redis_unavailable"

        client.send({"type": "request_update"})
        held = client.receive_type("dashboard.update")["data"]
        assert (held["version"], held["stale"]) == (str(before), True)

        own_valkey.start()
        back = time.monotonic()
        web.beat.once()
        after = web.write("t", n=2)
        update = client.receive_type("dashboard.update", where=lambda m: m["data"]["n"] == 2)
        assert time.monotonic() - back < 10 * PATIENCE
        assert update["data"]["version"] == str(after)
        assert (after.epoch, after.revision) == (before.epoch, before.revision + 1)
        assert stream.receive_type("dashboard_update")["n"] == 2
        if update["data"]["stale"]:
            status = client.receive_type("dashboard.status", where=lambda m: not m["stale"])
            assert status == {"type": "dashboard.status", "stale": False, "since": None, "reason": None}


def test_a_frozen_redis_is_told_within_four_seconds_and_so_is_its_return(web: WebServer, own_valkey: Valkey) -> None:
    web.write("t", n=1)
    with _opened(web) as client:
        assert own_valkey.process
        own_valkey.process.send_signal(signal.SIGSTOP)
        frozen = time.monotonic()
        assert client.receive_type("dashboard.status")["reason"] == "redis_unavailable"
        assert time.monotonic() - frozen < 4 * PATIENCE
        own_valkey.process.send_signal(signal.SIGCONT)
        thawed = time.monotonic()
        client.receive_type("dashboard.status", where=lambda m: not m["stale"])
        web.write("t", n=2)
        assert client.receive_type("dashboard.update")["data"]["n"] == 2
        assert time.monotonic() - thawed < 10 * PATIENCE


def test_without_redis_a_new_client_gets_what_is_held_or_a_503(web: WebServer, own_valkey: Valkey) -> None:
    web.write("t", n=1)
    web.write("unwatched", n=1)
    with _opened(web) as client:
        own_valkey.stop()
        client.receive_type("dashboard.status")
        with Wire(web.port) as wire:
            refused = upgrade(wire, "/ws/dashboard/unwatched/", f"Authorization: Bearer {token('unwatched')}")
        assert refused.startswith("HTTP/1.1 503 ")
        assert "Retry-After" in refused
        with Socket(web.port, "t") as late:
            update = late.receive_type("dashboard.update")["data"]
            assert (update["n"], update["stale"]) == (1, True)


def test_an_emptied_redis_is_noticed_asked_for_and_followed_into_a_new_epoch(web: WebServer) -> None:
    before = web.write("t", n=1)
    with _opened(web) as client:
        web.client.flushall()
        web.beat.once()
        flushed = time.monotonic()
        assert client.receive_type("dashboard.status", within_s=12)["reason"] == "snapshot_missing"
        assert time.monotonic() - flushed < 12 * PATIENCE
        eventually(lambda: ("dashboard.recalculate", "[['t']]") in _queued(web))
        after = web.write("t", n=2)
        assert after.epoch != before.epoch
        assert client.receive_type("dashboard.update")["data"]["version"] == str(after)
        client.receive_type("dashboard.status", where=lambda m: not m["stale"])


def test_revisions_that_redis_lost_are_never_sent_again_under_another_content(web: WebServer) -> None:
    key = web.keys.snapshot("t")
    first = web.write("t", n=1)
    backup: Any = web.client.hgetall(key)
    web.write("t", n=2)
    third = web.write("t", n=3)
    with _opened(web) as client:
        # A failover to a replica that had not seen the last two.
        web.client.delete(key)
        web.client.hset(key, mapping=backup)
        web.client.publish(web.keys.notices, json.dumps({"tenant": "t", "version": str(first)}))
        wanted = ("dashboard.end_epoch", repr(["t", third.epoch, third.revision]))
        eventually(lambda: wanted in _queued(web))
        client.send({"type": "request_update"})
        assert client.receive_type("dashboard.update")["data"]["version"] == str(third)
        # No worker runs here: this is what the task does.
        SnapshotWriter(web.client, web.keys).end_epoch("t", third)
        renewed = web.write("t", n=4)
        assert renewed.epoch != third.epoch
        assert client.receive_type("dashboard.update")["data"]["version"] == str(renewed)


def test_a_subscription_that_is_killed_is_renewed_and_what_came_meanwhile_is_read(web: WebServer) -> None:
    web.write("t", n=0)
    with _opened(web) as client:
        for n in range(1, 6):
            web.client.client_kill_filter(_type="pubsub")
            killed = time.monotonic()
            web.write("t", n=n)
            client.receive_type("dashboard.update", where=_numbered(n))
            assert time.monotonic() - killed < 5 * PATIENCE


def test_a_subscription_that_delivers_nothing_is_noticed_and_caught_up_with(own_valkey: Valkey) -> None:
    with Proxy(own_valkey.port) as proxy, WebServer(f"redis://127.0.0.1:{proxy.port}/0", Keys("live")) as web:
        web.write("t", n=1)
        with _opened(web) as client:
            assert proxy.deafen_subscribers() == 1
            deaf = time.monotonic()
            web.write("t", n=2)
            assert client.receive_type("dashboard.update")["data"]["n"] == 2
            assert time.monotonic() - deaf < 8 * PATIENCE
            eventually(lambda: any(event["event"] == "channel_lost" for event in web.events))
            # Heard again at once, by a notice and not by comparing.
            eventually(lambda: web.client.pubsub_numsub(web.keys.notices)[0][1] >= 1)
            client.send({"type": "ping"})
            assert client.receive()["type"] == "pong"


def test_a_returning_redis_is_not_stormed(web: WebServer, own_valkey: Valkey) -> None:
    web.write("t", n=1)
    with _opened(web) as client:
        own_valkey.stop()
        client.receive_type("dashboard.status")
        lost = [event for event in web.events if event["event"] == "channel_lost"]
        started = time.monotonic()
        client.socket.settimeout(5)  # how long it is watched
        with contextlib.suppress(TimeoutError):
            client.receive()
        attempts = len([event for event in web.events if event["event"] == "channel_lost"]) - len(lost)
        assert attempts <= 2 + (time.monotonic() - started) / 0.5


def test_every_history_of_versions_is_rising_through_a_rough_minute(web: WebServer, own_valkey: Valkey) -> None:
    """Seeded trouble: writes, killed subscriptions, a flush, a freeze. Each client's history must rise in each epoch."""
    web.write("t", n=0)
    histories: list[list[Version]] = [[], [], []]
    clients = [_opened(web) for _ in histories]
    assert own_valkey.process
    last = None
    for n in range(1, 40):
        if n % 7 == 0:
            web.client.client_kill_filter(_type="pubsub")
        if n == 20:
            web.client.flushall()
            web.beat.once()
        if n == 30:
            own_valkey.process.send_signal(signal.SIGSTOP)
            time.sleep(0.5)  # shorter than any timeout: the writes before and after it run into each other
            own_valkey.process.send_signal(signal.SIGCONT)
        last = web.write("t", n=n)
    for client, history in zip(clients, histories, strict=True):
        while not history or history[-1] != last:
            version = Version.parse(client.receive_type("dashboard.update")["data"]["version"])
            assert version
            history.append(version)
        for epoch in {version.epoch for version in history}:
            revisions = [version.revision for version in history if version.epoch == epoch]
            assert revisions == sorted(set(revisions))
        client.socket.close()


def _numbered(n: int) -> Callable[[dict[str, Any]], bool]:
    return lambda message: bool(message["data"]["n"] == n)
