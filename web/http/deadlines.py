"""How long a client may keep a request waiting: for its own body, and by not taking the answer.

gunicorn bounds only the head of a request. Without these, whoever announces a body and sends none, or asks and does not
read, holds a connection for ever; when there are as many of them as a process takes, nobody else is served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent

from web.http.problems import BodyTooSlow

BODY_WITHIN_S = 5.0
# For each piece that is written at once; a network that takes a piece in this time is slow, but it works.
TAKEN_WITHIN_S = 10.0
PIECE_BYTES = 64 * 1024


def hang_up_on_idlers(handle: Callable[..., Any]) -> Callable[..., Any]:
    """gunicorn's `handle_request` of a worker, for clients that have to take what they asked for."""

    def handle_in_time(listener: object, request: object, client: Any, address: object) -> Any:
        # Sockets and streams set deadlines of their own, and leave none behind.
        client.settimeout(TAKEN_WITHIN_S)
        try:
            return handle(listener, request, client, address)
        except TimeoutError:
            # Half an answer is out: gunicorn closes the connection without a word more.
            raise StopIteration from None

    return handle_in_time


@contextmanager
def while_the_body_comes() -> Iterator[None]:
    """Around the reading of a body; raises BodyTooSlow."""
    with gevent.Timeout(BODY_WITHIN_S) as deadline:
        try:
            yield
        except gevent.Timeout as error:
            if error is not deadline:
                raise
            raise BodyTooSlow("The body did not arrive in time.") from None


def in_pieces(content: bytes) -> Iterator[bytes]:
    """A long body in pieces that are written one by one, each with its own deadline."""
    return (content[start : start + PIECE_BYTES] for start in range(0, len(content), PIECE_BYTES))
