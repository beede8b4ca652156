"""One client for many greenlets or threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from shared.keys import Keys
from shared.redis_client import connect
from tests.conftest import Services


def test_calls_that_find_no_connection_free_wait_for_one(services: Services, keys: Keys) -> None:
    with (
        connect(services.redis_url, timeout_s=5, max_connections=4) as client,
        ThreadPoolExecutor(max_workers=40) as many,
    ):
        answers = list(many.map(lambda _: client.blpop([f"{keys.prefix}:nothing"], timeout=0.01), range(40)))
    assert answers == [None] * 40


def test_a_call_that_waits_too_long_for_a_connection_is_refused(services: Services, keys: Keys) -> None:
    with connect(services.redis_url, timeout_s=0.2, max_connections=1) as client, client.pubsub() as channel:
        channel.subscribe(keys.notices)
        with pytest.raises(redis.ConnectionError):
            client.ping()


def test_a_connection_that_somebody_else_has_closed_is_lost_and_nothing_worse(services: Services) -> None:
    with connect(services.redis_url, timeout_s=5) as client:
        connection = client.connection_pool.get_connection()
        # As it is for whoever looks at it in the moment in which another greenlet closes it.
        connection._parser._sock = None
        with pytest.raises(redis.ConnectionError):
            connection.can_read(timeout=0)
        client.connection_pool.release(connection)
        assert client.ping()
