"""How every process connects to Redis: by URL, or through Sentinel, always with a deadline."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

DEFAULT_SENTINEL_PORT = 26379
# More at once wait for their turn. redis-py's own pool would raise for the next one what it raises when Redis is away.
MOST_CONNECTIONS = 100


class _SentinelPool(SentinelConnectionPool, redis.BlockingConnectionPool):
    """Follows the master; when every connection is in use, the next call waits for one."""


def connect(url: str, *, timeout_s: float, retries: int = 0, max_connections: int = MOST_CONNECTIONS) -> redis.Redis:
    """A client whose every call answers or raises redis.RedisError within about `timeout_s` × (retries + 1).

    Calls beyond `max_connections` wait for their turn, so long at most.
    `sentinel://host:port,host:port/database?master=name` follows the master that the sentinels agree on.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), retries),
        "max_connections": max_connections,
        "timeout": timeout_s,
    }
    if url.startswith("sentinel://"):
        return _master(url, options)
    return redis.Redis.from_pool(redis.BlockingConnectionPool.from_url(url, **options))


def _master(url: str, options: dict[str, Any]) -> redis.Redis:
    parts = urlsplit(url)
    hosts = [_host_port(part) for part in parts.netloc.rpartition("@")[2].split(",")]
    timeouts = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout")}
    client: redis.Redis = Sentinel(hosts, sentinel_kwargs=timeouts).master_for(  # type: ignore[no-untyped-call]
        parse_qs(parts.query).get("master", ["mymaster"])[0],
        connection_pool_class=_SentinelPool,
        db=int(parts.path.strip("/") or 0),
        password=parts.password,
        username=parts.username or None,
        **options,
    )
    return client


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port or DEFAULT_SENTINEL_PORT)
