"""Request → Caller: where the credential is, whether its Origin may use it, and what the token says. Source: SPEC 6."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import redis
import structlog
from flask import Request

from shared.errors import StoreUnavailable
from shared.keys import Keys
from shared.settings import Settings
from web.access.tickets import Tickets
from web.access.tokens import Caller, Tokens
from web.http.problems import NotFound, OriginForbidden, TokenInvalid, TokenMissing
from web.redis.circuit import Circuit

log = structlog.get_logger()

Kind = Literal["rest", "stream", "socket"]

COOKIE = "access_token_cookie"
TICKET_PARAMETER = "ticket"
"""Streams and sockets let it pass their check of the query; everything else refuses it there."""
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# With the moment that an answer may be repeated for, a revoked token is refused within a second.
_REVOCATION_KNOWN_FOR_S = 0.7
_MAX_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Credential:
    """What the request carries: a token or a ticket. A cookie is sent by browsers unasked, so its Origin matters."""

    value: str
    is_ambient: bool = False
    is_ticket: bool = False


class Auth:
    """Who may come in: one for the process."""

    def __init__(
        self,
        tokens: Tokens,
        tickets: Tickets,
        settings: Settings,
        *,
        client: redis.Redis,
        keys: Keys,
        circuit: Circuit,
    ) -> None:
        self._tokens = tokens
        self._tickets = tickets
        self._allowed_origins = frozenset(origin.lower() for origin in settings.allowed_origins)
        self._client = client
        self._keys = keys
        self._circuit = circuit
        self._not_revoked_until: dict[str, float] = {}

    def authenticate(self, request: Request, kind: Kind = "rest") -> Caller:
        """The caller, whose tenant the log lines of this request name from now on.

        Raises TokenMissing, TokenInvalid, TokenExpired, OriginForbidden, or StoreUnavailable for a ticket.
        """
        caller = self._caller(request, kind)
        structlog.contextvars.bind_contextvars(tenant_id=caller.tenant_id)
        return caller

    def _caller(self, request: Request, kind: Kind) -> Caller:
        credential = _credential(request, kind)
        self._check_origin(request, kind, is_ambient=credential is not None and credential.is_ambient)
        if credential is None:
            raise TokenMissing("Send a token as Authorization: Bearer.")
        if credential.is_ticket:
            return self._unless_revoked(self._tickets.redeem(credential.value, request.path))
        return self.verify(credential.value)

    def verify(self, token: str) -> Caller:
        """The caller of a token that came some other way, such as a socket's refresh message; raises the same."""
        return self._unless_revoked(self._tokens.verify(token))

    def _unless_revoked(self, caller: Caller) -> Caller:
        if self.is_revoked(caller):
            raise TokenInvalid("The token has been revoked.")
        return caller

    def is_revoked(self, caller: Caller) -> bool:
        """Whether the token's id was put under `Keys.revoked`; known within a second, unknown while Redis is away."""
        key, asked_at = self.revocation_key(caller), time.monotonic()
        if key is None:
            return False
        try:
            with self._circuit.guard():
                found = bool(self._client.exists(key))
        except StoreUnavailable:
            return False
        if not found:
            self.note_not_revoked(caller, asked_at=asked_at)
        return found

    def revocation_key(self, caller: Caller) -> str | None:
        """The key that is there if the token was revoked; None where that need not be looked for now."""
        if caller.token_id is None or self._not_revoked_until.get(caller.token_id, 0.0) > time.monotonic():
            return None
        return self._keys.revoked(caller.token_id)

    def note_not_revoked(self, caller: Caller, *, asked_at: float) -> None:
        """Nothing was there under the caller's `revocation_key` when it was looked for."""
        assert caller.token_id is not None  # noqa: S101 (for the type checker: without one there is no key)
        if len(self._not_revoked_until) >= _MAX_KNOWN:
            self._not_revoked_until.clear()
        self._not_revoked_until[caller.token_id] = asked_at + _REVOCATION_KNOWN_FOR_S

    @property
    def believed_for_s(self) -> float:
        """How long a token is believed that was verified, if it neither expires nor is revoked before."""
        return self._tokens.believed_for_s

    def revoked(self, token_ids: Sequence[str]) -> list[str]:
        """Those of these token ids that are revoked now; raises StoreUnavailable."""
        with self._circuit.guard():
            found = cast("list[bytes | None]", self._client.mget([self._keys.revoked(one) for one in token_ids]))
        return [token_id for token_id, mark in zip(token_ids, found, strict=True) if mark is not None]

    def is_known_origin(self, request: Request) -> bool:
        """Whether the Origin header names ourselves or an allowed origin, exactly."""
        origin = request.headers.get("Origin", "").lower()
        return origin in self._allowed_origins or origin == _own_origin(request)

    def _check_origin(self, request: Request, kind: Kind, *, is_ambient: bool) -> None:
        if "Origin" in request.headers:
            # No page of a stranger may open a socket, with whatever credential: CORS does not cover WebSockets.
            checked = is_ambient or kind == "socket"
            refused = checked and not self.is_known_origin(request)
        else:
            # Browsers omit Origin on plain GETs of their own site; Sec-Fetch-Site cannot be forged by a page.
            is_plain_read = kind != "socket" and request.method in ("GET", "HEAD")
            same_site = request.headers.get("Sec-Fetch-Site") == "same-origin"
            refused = is_ambient and not (is_plain_read and same_site)
        if refused:
            raise OriginForbidden("This Origin may not use the API with a cookie or a socket.")


def require_tenant(caller: Caller, user_id: str) -> None:
    """Another tenant's address looks like one that does not exist."""
    if user_id != caller.tenant_id:
        raise NotFound()


def _credential(request: Request, kind: Kind) -> Credential | None:
    """The one place that knows where a credential may be: the Authorization header, else a ticket, else the cookie."""
    header = request.headers.get("Authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise TokenInvalid("Send a token as Authorization: Bearer.")
        return Credential(token.strip())
    if kind != "rest" and TICKET_PARAMETER in request.args:
        return Credential(request.args[TICKET_PARAMETER], is_ticket=True)
    cookie = request.cookies.get(COOKIE)
    return Credential(cookie, is_ambient=True) if cookie else None


def _own_origin(request: Request) -> str:
    host = request.host.lower().removesuffix(_DEFAULT_PORTS.get(request.scheme, ""))
    return f"{request.scheme}://{host}"
