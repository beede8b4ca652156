"""Claims of tenants in a Redis that freezes: granted too late, they are not lost."""

from __future__ import annotations

import signal

import pytest
import redis

from cli.local.embedded import Valkey
from shared.keys import Keys
from shared.redis_client import connect
from tests.servers import eventually
from workers.capture.throttle import BREATH_S, COMPUTING_S, Throttle


def test_a_claim_that_a_frozen_redis_grants_too_late_is_taken_by_who_made_it(own_valkey: Valkey, keys: Keys) -> None:
    with connect(own_valkey.url(), timeout_s=0.2) as client:
        ours, another = Throttle(client, keys), Throttle(client, keys)
        assert own_valkey.process
        assert ours.claim(["t0"]) == ["t0"]  # so that it knows the script
        own_valkey.process.send_signal(signal.SIGSTOP)
        with pytest.raises(redis.RedisError):
            ours.claim(["t1"])
        own_valkey.process.send_signal(signal.SIGCONT)
        eventually(lambda: client.exists(keys.throttle("t1")))
        assert another.claim(["t1"]) == []
        assert ours.claim(["t1"]) == ["t1"]
        assert ours.claim(["t1"]) == []


def test_a_claim_holds_for_everyone_until_the_tenant_is_done(valkey: redis.Redis, keys: Keys) -> None:
    ours, another = Throttle(valkey, keys), Throttle(valkey, keys)
    assert ours.claim(["t1", "t2"]) == ["t1", "t2"]
    assert another.claim(["t1", "t3"]) == ["t3"]
    assert another.claim([]) == []
    pipe = valkey.pipeline()
    with ours.computing(["t1"], pipe):
        pipe.execute()
        assert another.claim(["t1"]) == []
    ours.done(["t1"], pipe)
    pipe.execute()
    eventually(lambda: another.claim(["t1"]) == ["t1"], within_s=2.0)


def test_what_the_sweeper_claims_and_computes_yields_to_changes(valkey: redis.Redis, keys: Keys) -> None:
    sweepers, urgent, another = Throttle(valkey, keys, yields=True), Throttle(valkey, keys), Throttle(valkey, keys)
    assert sweepers.claim(["t1", "t2", "t3"]) == ["t1", "t2", "t3"]
    assert sweepers.claim(["t1"]) == Throttle(valkey, keys, yields=True).claim(["t1"]) == []
    assert urgent.claim(["t1"]) == ["t1"]
    assert another.claim(["t1"]) == sweepers.claim(["t1"]) == []
    pipe = valkey.pipeline()
    with sweepers.computing(["t1", "t2", "t3"], pipe, yields=True):
        pipe.execute()
        assert sweepers.claim(["t2"]) == []
        assert urgent.claim(["t2"]) == ["t2"]
        assert another.claim(["t1", "t2"]) == []
    sweepers.done(["t1", "t2", "t3"], pipe, yields=True)
    pipe.execute()
    # A breath for who was the sweeper's alone; the others are still held by who claimed them.
    assert [valkey.pttl(keys.throttle(t)) > BREATH_S * 1000 for t in ("t1", "t2", "t3")] == [True, True, False]


def test_renewing_what_yields_takes_nothing_back(
    valkey: redis.Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.capture.throttle.RENEW_EVERY_S", 0.05)
    sweepers, urgent, another = Throttle(valkey, keys), Throttle(valkey, keys), Throttle(valkey, keys)
    pipe = valkey.pipeline()
    with sweepers.computing(["t1", "t2"], pipe, yields=True):
        pipe.execute()
        assert urgent.claim(["t1"]) == ["t1"]
        valkey.delete(keys.throttle("t2"))
        eventually(lambda: valkey.exists(keys.throttle("t2")), within_s=2.0)
        assert another.claim(["t1"]) == []


def test_the_breath_grows_with_each_computation_and_begins_anew_after_a_pause(
    valkey: redis.Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = 1000
    monkeypatch.setattr("workers.capture.throttle.BREATH_S", 25.0)  # so long that none ends meanwhile
    monkeypatch.setattr("workers.capture.throttle.LONGEST_BREATH_S", 60.0)
    monkeypatch.setattr("workers.capture.throttle.PAUSE_S", 100.0)
    throttle, pipe = Throttle(valkey, keys), valkey.pipeline()

    def breaths(*tenant_ids: str) -> list[int]:
        throttle.done(tenant_ids, pipe)
        pipe.execute()
        return [round(valkey.pttl(keys.throttle(tenant_id)) / second) for tenant_id in tenant_ids]

    assert breaths("t1") == [25]
    assert breaths("t1", "t2") == [50, 25]
    assert [breaths("t1"), breaths("t1")] == [[60], [60]]
    assert 0 < valkey.pttl(keys.in_a_row("t1")) <= 100 * second
    valkey.delete(keys.in_a_row("t1"))  # as it expires
    assert breaths("t1") == [25]
    assert breaths() == []


def test_a_long_computation_keeps_its_hold_and_a_dead_one_loses_it(
    valkey: redis.Redis, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.capture.throttle.RENEW_EVERY_S", 0.05)
    throttle = Throttle(valkey, keys)
    pipe = valkey.pipeline()
    with throttle.computing(["t1"], pipe):
        pipe.execute()
        # What a worker leaves that dies now; its renewals keep it up for as long as it lives.
        assert 0 < valkey.pttl(keys.throttle("t1")) <= COMPUTING_S * 1000
        valkey.delete(keys.throttle("t1"))
        eventually(lambda: valkey.exists(keys.throttle("t1")), within_s=2.0)
    valkey.delete(keys.throttle("t1"))
    assert throttle.claim(["t1"]) == ["t1"]
