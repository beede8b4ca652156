"""How every process connects to Redis: by URL, or through Sentinel, always with a deadline."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from shared.primary import following
from shared.redis_address import SCHEME, SentinelAddress

# More at once wait for their turn. redis-py's own pool would raise for the next one what it raises when Redis is away.
MOST_CONNECTIONS = 100


class _SentinelPool(SentinelConnectionPool, redis.BlockingConnectionPool):
    """Follows the master; when every connection is in use, the next call waits for one."""


def connect(url: str, *, timeout_s: float, retries: int = 0, max_connections: int = MOST_CONNECTIONS) -> redis.Redis:
    """A client whose every call answers or raises redis.RedisError within about `timeout_s` × (retries + 1).

    Calls beyond `max_connections` wait for their turn, so long at most.
    `sentinel://host:port,host:port/database?master=name` follows the master that the sentinels agree on; behind any other
    address a primary that was demoted is left by every connection as soon as one is refused a write.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), retries),
        "max_connections": max_connections,
        "timeout": timeout_s,
    }
    if url.startswith(SCHEME):
        return _master(SentinelAddress.parse(url), options)
    pool = redis.BlockingConnectionPool.from_url(url, **options)
    pool.connection_class = following(pool.connection_class, pool.disconnect)
    return redis.Redis.from_pool(pool)


def _master(address: SentinelAddress, options: dict[str, Any]) -> redis.Redis:
    timeouts = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout")}
    sentinels = Sentinel(address.hosts, sentinel_kwargs={**timeouts, **address.login()})  # type: ignore[no-untyped-call]
    client: redis.Redis = sentinels.master_for(  # type: ignore[no-untyped-call]
        address.master,
        connection_pool_class=_SentinelPool,
        db=address.database,
        password=address.password,
        username=address.username,
        **options,
    )
    return client
