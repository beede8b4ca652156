"""Connections that leave a server which is the primary no more.

After a failover behind one address (a name that moves to the new primary) connections that are open stay with the old
one. It answers reads, and writes with READONLY, for as long as they live; only a new connection finds the new primary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis


class Demoted(redis.ConnectionError):
    """The server refuses writes: it is a replica now. The connection is closed; the next one may find the primary."""


def _tells_of_demotion(error: redis.ResponseError) -> bool:
    # UNBLOCKED: who waited in BRPOP when it happened. The middle one: from within a script, before Redis 7.
    return isinstance(error, redis.ReadOnlyError) or "-READONLY" in str(error) or str(error).startswith("UNBLOCKED")


def following(kind: type[Any], on_demoted: Callable[[], object] | None = None) -> type[Any]:
    """A connection class of redis-py that closes itself, and raises Demoted, when the server refuses to be written to.

    `on_demoted` is called then: the other connections of a pool are with the same server.
    """

    class Following(kind):  # type: ignore[misc]
        def can_read(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().can_read(*args, **kwargs)
            except (TypeError, ValueError) as error:
                # Somebody else was told of the demotion, and has closed it in this moment.
                raise redis.ConnectionError("the connection was closed") from error

        def read_response(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().read_response(*args, **kwargs)
            except redis.ResponseError as error:
                if not _tells_of_demotion(error):
                    raise
                self.disconnect()
                if on_demoted is not None:
                    on_demoted()
                raise Demoted("the server is no primary any more") from error

    return Following
