"""How every process connects to Redis: by URL, or through Sentinel, always with a deadline."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

DEFAULT_SENTINEL_PORT = 26379


def connect(url: str, *, timeout_s: float, retries: int = 0, max_connections: int | None = None) -> redis.Redis:
    """A client whose every call answers or raises redis.RedisError within about `timeout_s` × (retries + 1).

    `sentinel://host:port,host:port/database?master=name` follows the master that the sentinels agree on.
    """
    retry = Retry(NoBackoff(), retries)
    if url.startswith("sentinel://"):
        parts = urlsplit(url)
        hosts = [_host_port(part) for part in parts.netloc.rpartition("@")[2].split(",")]
        name = parse_qs(parts.query).get("master", ["mymaster"])[0]
        sentinel = Sentinel(  # type: ignore[no-untyped-call]
            hosts, sentinel_kwargs={"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
        )
        client: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
            name,
            db=int(parts.path.strip("/") or 0),
            password=parts.password,
            username=parts.username or None,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=retry,
        )
        return client
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=retry,
        max_connections=max_connections,
        health_check_interval=0,
    )


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port or DEFAULT_SENTINEL_PORT)
