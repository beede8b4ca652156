"""How Celery reaches Redis: kombu's spelling of our address, and options that keep tasks from being lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import redis
from kombu.transport.redis import Channel

from shared.keys import Keys
from shared.primary import following
from shared.redis_address import SCHEME, SentinelAddress
from shared.settings import Settings

# Longer than any task may run (20 s), so that only a task of a dead worker is delivered twice.
VISIBILITY_TIMEOUT_S = 60

# kombu makes its connections from these two.
Channel.connection_class = following(redis.Connection)
Channel.connection_class_ssl = following(redis.SSLConnection)


@contextmanager
def _kept_client(channel: Any, client: redis.Redis | None = None) -> Iterator[redis.Redis]:
    """The client given, else the channel's own: kombu makes a new one for each command, which costs as much as sending it."""
    if client is None:
        client = vars(channel).get("kept_client")
        if client is None or client.connection_pool is not channel.pool:
            client = channel.kept_client = channel._create_client()
    yield client


Channel.conn_or_acquire = _kept_client  # type: ignore[method-assign, assignment]


def celery_url(settings: Settings) -> str:
    """The Redis address as kombu and Celery want it."""
    url = settings.redis_url
    if url.startswith(SCHEME):
        return _sentinel_url(SentinelAddress.parse(url))
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    if parts.scheme == "rediss":
        # Celery wants it said; redis-py has the same by default.
        return urlunsplit(parts._replace(query=urlencode({"ssl_cert_reqs": "required", **given})))
    if parts.scheme == "unix":
        database = given.pop("db", "0")
        query = urlencode({"virtual_host": database, **given})
        return f"redis+socket://{parts.netloc}{parts.path}?{query}"
    return url


def celery_result_url(settings: Settings) -> str:
    """The same for results."""
    url = celery_url(settings)
    return url if url.startswith(SCHEME) else f"workers.results:FollowingBackend+{url.removeprefix('redis+')}"


def _sentinel_url(address: SentinelAddress) -> str:
    """Each sentinel gets an address of its own; what comes before the host is the master's."""
    login = f"{quote(address.username or '', safe='')}:{quote(address.password, safe='')}@" if address.password else ""
    hosts = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in address.hosts)
    return ";".join(f"sentinel://{login}{host}/{address.database}" for host in hosts)


def celery_options(settings: Settings) -> dict[str, Any]:
    """Transport options for broker and result backend, under the key prefix that Daybook's own keys have.

    unacked_restore_*: kombu looks for tasks of dead workers each second; by default that takes minutes.
    unacked_mutex_expire: a process that dies during the search blocks the others for so long; by default five minutes.
    queue_order_strategy: take the queues in the order in which a worker names them.
    """
    options: dict[str, Any] = {
        "global_keyprefix": Keys(settings.key_prefix).celery,
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 5,
        "queue_order_strategy": "priority",
        "socket_timeout": 5.0,
        "socket_connect_timeout": 2.0,
        "socket_keepalive": True,
        "health_check_interval": 5,
    }
    if settings.redis_url.startswith(SCHEME):
        address = SentinelAddress.parse(settings.redis_url)
        options["master_name"] = address.master
        timeouts = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout")}
        options["sentinel_kwargs"] = {**timeouts, **address.login()}
    return options
