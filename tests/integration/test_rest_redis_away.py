"""What REST answers while Redis is frozen, dead or full."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from cli.local.embedded import Valkey
from shared.keys import Keys
from tests.patience import PATIENCE
from tests.servers import WebServer, eventually
from tests.tokens import bearer

REALTIME = "/api/dashboard/realtime/aggregate/"
RECALCULATE = "/api/dashboard/realtime/recalculate/"


@pytest.fixture
def web(own_valkey: Valkey) -> Iterator[WebServer]:
    with WebServer(own_valkey.url(), Keys("away")) as server:
        yield server


def get(web: WebServer, tenant: str, path: str = REALTIME) -> requests.Response:
    return requests.get(web.url + path, headers=bearer(tenant), timeout=10 * PATIENCE)


def timed(web: WebServer, tenant: str, path: str = REALTIME) -> tuple[requests.Response, float]:
    started = time.monotonic()
    return get(web, tenant, path), time.monotonic() - started


def test_a_frozen_redis_costs_less_than_a_second_and_what_is_held_is_served_as_stale(
    web: WebServer, own_valkey: Valkey
) -> None:
    version = web.write("known", n=1)
    web.write("unread", n=1)
    assert get(web, "known").json()["stale"] is False
    assert own_valkey.process
    own_valkey.process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: timed(web, "known"), range(64)))
    for answer, elapsed_s in answers:
        assert (answer.status_code, answer.json()["version"]) == (200, str(version))
        assert elapsed_s < 1 * PATIENCE
    assert all(answer.json()["stale"] for answer, _ in answers)
    answer, elapsed_s = timed(web, "unread")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert elapsed_s < 1 * PATIENCE
    assert requests.get(web.url + "/livez", timeout=5).status_code == 200
    assert requests.get(web.url + "/readyz", timeout=5).status_code == 503
    health = get(web, "known", "/api/dashboard/health/")
    assert (health.status_code, health.json()["components"]["cache"]["status"]) == (503, "unhealthy")
    own_valkey.process.send_signal(signal.SIGCONT)
    eventually(lambda: get(web, "known").json()["stale"], lambda stale: not stale, within_s=10)
    eventually(lambda: get(web, "unread").status_code, lambda status: status == 200)
    eventually(lambda: requests.get(web.url + "/readyz", timeout=5).status_code, lambda status: status == 200)


def test_a_killed_redis_comes_back_without_a_restart_of_the_web(web: WebServer, own_valkey: Valkey) -> None:
    web.write("known", n=1)
    get(web, "known")
    assert own_valkey.process
    own_valkey.process.kill()
    own_valkey.process.wait()
    started = time.monotonic()
    answer = requests.post(web.url + RECALCULATE, headers=bearer("known"), timeout=10 * PATIENCE)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert time.monotonic() - started < 3 * PATIENCE
    assert get(web, "known").json()["stale"] is True
    own_valkey.start()
    eventually(lambda: get(web, "known").json()["stale"], lambda stale: not stale)
    answer = requests.post(web.url + RECALCULATE + "?wait=0", headers=bearer("known"), timeout=10 * PATIENCE)
    assert answer.status_code == 202


def test_limits_hold_in_the_process_while_redis_is_away(own_valkey: Valkey) -> None:
    with WebServer(own_valkey.url(), Keys("away"), {"DASHBOARD_RATE_REQUESTS": "2/hour"}) as web:
        web.write("known", n=1)
        get(web, "known")
        assert own_valkey.process
        own_valkey.process.kill()
        own_valkey.process.wait()
        assert [get(web, "known").status_code for _ in range(3)] == [200, 200, 429]


def test_a_full_redis_is_still_read(web: WebServer) -> None:
    version = web.write("known", n=1)
    web.client.config_set("maxmemory", "1")
    answer = get(web, "known")
    assert (answer.status_code, answer.json()["version"]) == (200, str(version))
    assert requests.post(web.url + RECALCULATE, headers=bearer("known"), timeout=10 * PATIENCE).status_code == 503
    web.client.config_set("maxmemory", "0")


def test_a_silent_workers_side_makes_everything_stale_and_unready(own_valkey: Valkey) -> None:
    with WebServer(own_valkey.url(), Keys("away")) as web:
        web.write("known", n=1)
        # One token: what it was answered before is not given again as fresh.
        asking = bearer("known")

        def is_stale() -> bool:
            return bool(requests.get(web.url + REALTIME, headers=asking, timeout=10 * PATIENCE).json()["stale"])

        assert not is_stale()
        web.beat.stop()
        eventually(is_stale, within_s=10)
        ready = requests.get(web.url + "/readyz", timeout=5)
        assert (ready.status_code, ready.json()["code"]) == (503, "not_ready")
        health = get(web, "known", "/api/dashboard/health/").json()
        assert health["components"]["cache"]["status"] == "healthy"
        assert health["components"]["aggregation_service"]["reason"] == "workers_silent"
        web.beat.database_ms = None
        web.beat.once()
        health = get(web, "known", "/api/dashboard/health/").json()
        assert health["components"]["aggregation_service"]["status"] == "healthy"
        assert health["components"]["database"]["reason"] == "database_unavailable"
