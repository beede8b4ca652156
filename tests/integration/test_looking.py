"""Who is looked at is computed at once and kept up to the second; everyone else costs little and loses nothing."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import gevent
import pytest
import redis
import requests

from shared.errors import StoreUnavailable
from shared.keys import Keys
from shared.looked import HOT_S, Looked
from tests.conftest import Services
from tests.live import Socket
from tests.servers import WebServer, eventually
from tests.tokens import bearer
from web.live import looking as module
from web.live.looking import TENANTS_PER_TASK, Looking
from web.redis.circuit import Circuit


def test_a_tenant_is_hot_for_an_hour_after_the_last_look(keys: Keys, valkey: redis.Redis) -> None:
    looked = Looked(valkey, keys)
    assert looked.mark(["a", "b"]) == {"a", "b"}
    assert looked.mark(["a", "c"]) == {"c"}
    assert looked.among(["a", "c", "d"]) == {"a", "c"}
    valkey.zincrby(keys.looked, -HOT_S - 1, "a")
    assert looked.among(["a", "b"]) == {"b"}
    assert sorted(looked.everyone()) == ["b", "c"]
    assert looked.mark(["a"]) == {"a"}


def asked(client: redis.Redis, keys: Keys) -> Counter[str]:
    """How often each tenant's computation waits in the queue."""
    messages: Any = client.lrange(keys.queue("commands"), 0, -1)
    tasks = [json.loads(base64.b64decode(json.loads(message)["body"]))[0][0] for message in messages]
    return Counter(tenant_id for together in tasks for tenant_id in together)


def test_reading_and_connecting_ask_for_the_newest_once(services: Services, keys: Keys, valkey: redis.Redis) -> None:
    with WebServer(services.redis_url, keys) as web:
        for tenant_id in ("reader", "follower", "alerted"):
            web.write(tenant_id, n=1)
        address = f"{web.url}/api/dashboard/realtime/aggregate/"
        for _ in range(3):
            assert requests.get(address, headers=bearer("reader"), timeout=5).json()["n"] == 1
        with Socket(web.port, "follower"), Socket(web.port, "alerted", path="/ws/dashboard/notifications/{}/"):
            eventually(lambda: valkey.zcard(keys.looked) == 3)
            eventually(lambda: set(asked(valkey, keys)) >= {"reader", "follower", "alerted"})
            requests.get(address, headers=bearer("follower"), timeout=5)
        assert [asked(valkey, keys)[tenant_id] for tenant_id in ("reader", "follower")] == [1, 1]


def test_a_redis_that_was_emptied_hears_at_once_who_is_looked_at(
    services: Services, keys: Keys, valkey: redis.Redis
) -> None:
    """Or their changes would wait for a turn until web processes say so again, a minute later."""
    with WebServer(services.redis_url, keys) as web:
        address = f"{web.url}/api/dashboard/realtime/aggregate/"
        for tenant_id in ("reader", "follower"):
            web.write(tenant_id, n=1)
        assert requests.get(address, headers=bearer("reader"), timeout=5).status_code == 200
        with Socket(web.port, "follower"):
            eventually(lambda: valkey.zcard(keys.looked) == 2)
            valkey.delete(keys.looked, keys.snapshot("reader"), keys.snapshot("follower"))
            assert requests.get(address, headers=bearer("reader"), timeout=5).status_code == 503
            eventually(lambda: valkey.zcard(keys.looked) == 2)


def test_many_who_begin_to_look_at_once_share_computations(keys: Keys, valkey: redis.Redis) -> None:
    tasks: list[Sequence[str]] = []
    looking = Looking(Looked(valkey, keys), Circuit(), ask=tasks.append)
    looks = [f"t{number}" for number in range(2 * TENANTS_PER_TASK + 1)]
    for tenant_id in looks:
        looking.look(tenant_id)
    loop = gevent.spawn(looking.mark_forever, list)
    try:
        with gevent.Timeout(5):
            while sum(map(len, tasks)) < len(looks):
                gevent.sleep(0.01)
    finally:
        loop.kill()
    assert Counter(tenant_id for together in tasks for tenant_id in together) == Counter(looks)
    assert len(tasks) == 3


def test_what_could_not_be_said_is_said_later_and_what_stays_is_said_again(
    services: Services, keys: Keys, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MARK_EVERY_S", 0.2)
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    asked: list[str] = []
    is_away = True

    def ask(tenant_ids: Sequence[str]) -> None:
        if is_away:
            raise StoreUnavailable("away")
        asked.extend(tenant_ids)

    looking = Looking(Looked(valkey, keys), Circuit(), ask=ask)
    loop = gevent.spawn(looking.mark_forever, lambda: ["stays"])
    try:
        looking.look("comes")
        gevent.sleep(0.1)
        assert asked == []
        is_away = False
        with gevent.Timeout(5):
            while sorted(asked) != ["comes", "stays"]:
                gevent.sleep(0.01)
            valkey.zadd(keys.looked, {"stays": 1})
            while (valkey.zscore(keys.looked, "stays") or 0) < 2:
                gevent.sleep(0.01)
    finally:
        loop.kill()
