"""Where Celery keeps the outcome of a task: its own backend for Redis, over connections that follow the primary."""

from __future__ import annotations

from typing import Any

import redis
from celery.backends.redis import RedisBackend

from shared.primary import following


class FollowingBackend(RedisBackend):  # type: ignore[misc]
    """Named by celeryconfig.py."""

    def _params_from_url(self, url: str, defaults: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = super()._params_from_url(url, defaults)
        kind = found.get("connection_class", redis.Connection)
        if issubclass(kind, redis.UnixDomainSocketConnection):
            # Celery hands it on although such a connection has none.
            found.pop("socket_keepalive", None)
        return {**found, "connection_class": following(kind)}
