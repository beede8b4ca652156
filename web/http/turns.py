"""Taking turns: a connection whose next request is always there already does not keep the process from all others."""

from __future__ import annotations

import gevent
from gevent.local import local

# So many requests in a row take a few milliseconds.
REQUESTS_IN_A_ROW = 16
# Above that of sockets. Waiting for the loop to have nothing of this priority has it look at its sockets without resting:
# sleep(0) goes on with what is ready already, and a timer, however short, rests for a millisecond.
_BEFORE_SOCKETS = 1


_here = local()
"""What this greenlet, which serves one connection, has done: requests."""


def let_others_have_their_turn() -> None:
    """To be called for each request: now and then the process looks at its other connections before it goes on.

    A greenlet gives way when it has to wait. One that reads from a client with many requests under way never has to: it
    would answer hundreds of them while nobody else is accepted, answered or told anything.
    """
    _here.requests = getattr(_here, "requests", 0) + 1
    if _here.requests % REQUESTS_IN_A_ROW == 0:
        gevent.idle(_BEFORE_SOCKETS)
