"""One-time tickets: what an EventSource or a WebSocket puts into its address instead of a token. Source: SPEC 6.

Browsers let neither of them send an Authorization header, and a token in an address would end up in logs and histories.
A ticket there does no harm: it lives 30 seconds, opens one address once, and Redis knows only its digest.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping

import msgspec
import redis

from shared.keys import Keys
from shared.views import View
from web.access.tokens import Caller
from web.http.problems import TokenExpired, TokenInvalid, UnknownView
from web.redis.circuit import Circuit

TICKET_S = 30
_TICKET_BYTES = 32
_MAX_TICKET_CHARS = 100


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a ticket stands for: the caller of the token that asked for it, and one path."""

    path: str
    tenant_id: str
    subject: str
    expires_at: float
    token_id: str | None
    view: str | None = None


class Tickets:
    """Issues tickets and redeems them. Both raise StoreUnavailable while Redis is away."""

    def __init__(self, client: redis.Redis, keys: Keys, circuit: Circuit, views: Mapping[str, View]) -> None:
        self._views = views
        self._client = client
        self._keys = keys
        self._circuit = circuit

    def issue(self, caller: Caller, path: str) -> tuple[str, int]:
        """A new ticket for the path and the seconds that it lives, which are never more than its token's."""
        ticket = secrets.token_urlsafe(_TICKET_BYTES)
        lives_s = max(1, min(TICKET_S, int(caller.expires_at - time.time())))
        kept = _Kept(
            path=path,
            tenant_id=caller.tenant_id,
            subject=caller.subject,
            expires_at=caller.expires_at,
            token_id=caller.token_id,
            view=caller.view.name if caller.view else None,
        )
        with self._circuit.guard():
            self._client.set(self._name(ticket), msgspec.json.encode(kept), ex=lives_s)
        return ticket, lives_s

    def redeem(self, ticket: str, path: str) -> Caller:
        """The caller whom the ticket stands for, which is used up; raises TokenInvalid or TokenExpired."""
        found = None
        if len(ticket) <= _MAX_TICKET_CHARS:
            with self._circuit.guard():
                found = self._client.getdel(self._name(ticket))
        kept = msgspec.json.decode(found, type=_Kept) if found else None
        if kept is None or kept.path != path:
            raise TokenInvalid("The ticket is unknown, used, expired or for another address.", code="ticket_invalid")
        if kept.expires_at <= time.time():
            raise TokenExpired("The token that the ticket was issued for has expired.")
        if kept.view is not None and kept.view not in self._views:
            raise UnknownView("The ticket is for a view that is not defined here.")
        return Caller(
            tenant_id=kept.tenant_id,
            subject=kept.subject,
            expires_at=kept.expires_at,
            token_id=kept.token_id,
            view=None if kept.view is None else self._views[kept.view],
        )

    def _name(self, ticket: str) -> str:
        return self._keys.ticket(hashlib.sha256(ticket.encode()).hexdigest())
