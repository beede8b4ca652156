"""How Celery reaches Redis: kombu's spelling of our address, and options that keep tasks from being lost."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from shared.keys import Keys
from shared.settings import Settings

# Longer than any task may run (20 s), so that only a task of a dead worker is delivered twice.
VISIBILITY_TIMEOUT_S = 60


def celery_url(settings: Settings) -> str:
    """The Redis address as kombu wants it; each sentinel gets an address of its own."""
    url = settings.redis_url
    if not url.startswith("sentinel://"):
        return url
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    prefix = f"{credentials}@" if credentials else ""
    return ";".join(f"sentinel://{prefix}{host}{parts.path}" for host in hosts.split(","))


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
    if settings.redis_url.startswith("sentinel://"):
        options["master_name"] = parse_qs(urlsplit(settings.redis_url).query).get("master", ["mymaster"])[0]
    return options
