"""The circuit opens when Redis is silent, and only then."""

from __future__ import annotations

import time

import pytest
import redis

from shared.errors import StoreUnavailable
from web.redis.circuit import Circuit


def use(circuit: Circuit, error: Exception | None = None) -> None:
    with circuit.guard():
        if error:
            raise error


def silent_reader() -> StoreUnavailable:
    error = StoreUnavailable("no answer")
    error.__cause__ = redis.TimeoutError()
    return error


@pytest.mark.parametrize("error", [redis.ConnectionError(), redis.TimeoutError(), silent_reader()])
def test_after_a_silence_every_use_fails_at_once_until_one_may_try(error: Exception) -> None:
    circuit = Circuit(hold_s=0.1)
    with pytest.raises(StoreUnavailable):
        use(circuit, error)
    assert circuit.is_open
    with pytest.raises(StoreUnavailable, match="a moment ago"):
        use(circuit)
    deadline = time.monotonic() + 2
    while circuit.is_open and time.monotonic() < deadline:
        try:
            use(circuit)
        except StoreUnavailable:
            time.sleep(0.01)
    assert not circuit.is_open


def test_only_one_use_finds_out_whether_redis_is_back() -> None:
    circuit = Circuit(hold_s=60)
    with pytest.raises(StoreUnavailable):
        use(circuit, redis.TimeoutError())
    circuit._open_until = time.monotonic()
    with circuit.guard(), pytest.raises(StoreUnavailable, match="a moment ago"):
        use(circuit)


@pytest.mark.parametrize("error", [redis.ResponseError("OOM"), redis.exceptions.OutOfMemoryError(), StoreUnavailable()])
def test_a_refusal_is_an_answer_and_keeps_it_closed(error: Exception) -> None:
    circuit = Circuit()
    with pytest.raises(StoreUnavailable):
        use(circuit, error)
    assert not circuit.is_open
