"""When a client must go, whatever it is connected by. Each transport says it in its own way: a close code, a last event.

Source: SPEC 6 and 7.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum, auto

from web.access.tokens import Caller


class Ending(Enum):
    """Why the server ends a client's connection."""

    RESTARTING = auto()
    TENANT_GONE = auto()
    TOKEN_EXPIRED = auto()
    TOKEN_REVOKED = auto()
    TOO_SLOW = auto()


class Lifetime:
    """One client's: ask `ending` each time it was woken, and at the latest after `left_s`."""

    def __init__(
        self,
        caller: Caller,
        *,
        is_draining: Callable[[], bool],
        is_gone: Callable[[], bool],
    ) -> None:
        """`is_gone` tells whether the tenant ceased to exist."""
        self.caller = caller
        self._is_draining = is_draining
        self._is_gone = is_gone
        self._revoked: str | None = None

    def ending(self) -> Ending | None:
        """Why the client must go now; None while it may stay."""
        if self._is_draining():
            return Ending.RESTARTING
        if self._is_gone():
            return Ending.TENANT_GONE
        if time.time() >= self.caller.expires_at:
            return Ending.TOKEN_EXPIRED
        is_revoked = self._revoked is not None and self._revoked == self.caller.token_id
        return Ending.TOKEN_REVOKED if is_revoked else None

    def ending_of_slow_reader(self) -> Ending:
        """Why a client goes that did not read: a restart does not wait for it, but is not held against it either."""
        return Ending.RESTARTING if self._is_draining() else Ending.TOO_SLOW

    @property
    def left_s(self) -> float:
        """How long the token is still good for."""
        return self.caller.expires_at - time.time()

    def renew(self, caller: Caller) -> None:
        """The client brought a newer token."""
        self.caller = caller

    def revoke(self, token_id: str) -> None:
        """The token of this id is revoked; a newer one that the client brought meanwhile is not."""
        self._revoked = token_id
