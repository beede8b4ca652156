"""Open connections per tenant, counted over all processes."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from shared.keys import Keys
from shared.redis_client import connect
from shared.settings import Settings
from tests.conftest import Services
from web.access import slots as module
from web.access.slots import LEASE_S, Slots, TooManyConnections
from web.http.problems import Unavailable
from web.redis.circuit import Circuit


def process(services: Services, keys: Keys, *, url: str | None = None, **limits: Any) -> Slots:
    """The leases of one more web process."""
    settings = Settings(redis_url=services.redis_url, **{"max_tenant_connections": 3, **limits})
    return Slots(connect(url or services.redis_url, timeout_s=0.5), keys, Circuit(), settings)


def test_a_tenant_has_as_many_over_all_processes_as_it_may(services: Services, keys: Keys) -> None:
    one, two = process(services, keys), process(services, keys)
    held = [one.acquire("t"), one.acquire("t"), two.acquire("t")]
    for leases in (one, two):
        with pytest.raises(TooManyConnections) as refused:
            leases.acquire("t")
        assert refused.value.allowance.limit == 3
    one.acquire("other")
    held[0].release()
    held[0].release()
    assert two.acquire("t")
    with pytest.raises(TooManyConnections):
        one.acquire("t")


def test_a_process_has_as_many_as_it_may(services: Services, keys: Keys) -> None:
    leases = process(services, keys, max_connections=2)
    first = leases.acquire("a")
    leases.acquire("b")
    with pytest.raises(Unavailable) as refused:
        leases.acquire("c")
    assert (refused.value.code, len(leases)) == ("at_capacity", 2)
    first.release()
    assert leases.acquire("c")


def test_leases_of_a_dead_process_expire_and_those_of_a_living_one_are_renewed(
    services: Services, keys: Keys, valkey: redis.Redis
) -> None:
    living, dead = process(services, keys), process(services, keys)
    kept = living.acquire("t")
    dead.acquire("t")
    dead.acquire("t")
    # A minute later: every lease has run out, and the living process renews its own.
    held: Any = valkey.zrange(keys.connections("t"), 0, -1, withscores=True)
    for member, expiry in held:
        valkey.zadd(keys.connections("t"), {member: expiry - LEASE_S - 1})
    living.renew()
    living.acquire("t")
    assert valkey.zcard(keys.connections("t")) == 2
    assert 0 < valkey.ttl(keys.connections("t")) <= LEASE_S
    assert kept.lease_id.encode() in valkey.zrange(keys.connections("t"), 0, -1)


def test_every_lease_of_every_tenant_is_renewed_however_many_at_once(
    services: Services, keys: Keys, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASES_AT_ONCE", 1)
    monkeypatch.setattr(module, "TENANTS_AT_ONCE", 2)
    leases = process(services, keys)
    held = [leases.acquire(tenant_id) for tenant_id in ("a", "a", "b", "c", "d")]
    for slot in held:
        valkey.delete(keys.connections(slot.tenant_id))
    leases.renew()
    assert {one for tenant_id in "abcd" for one in valkey.zrange(keys.connections(tenant_id), 0, -1)} == {
        slot.lease_id.encode() for slot in held
    }


def test_leases_that_redis_lost_come_back_with_the_next_renewal(
    services: Services, keys: Keys, valkey: redis.Redis
) -> None:
    leases = process(services, keys)
    leases.acquire("t")
    valkey.delete(keys.connections("t"))
    leases.renew()
    assert valkey.zcard(keys.connections("t")) == 1


def test_while_redis_is_away_each_process_counts_for_itself(services: Services, keys: Keys) -> None:
    leases = process(services, keys, url="redis://127.0.0.1:1/0")
    held = [leases.acquire("t") for _ in range(3)]
    with pytest.raises(TooManyConnections):
        leases.acquire("t")
    held[0].release()
    assert leases.acquire("t")
