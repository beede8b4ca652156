"""Every code that this server closes a socket with, once: the sockets send them, the documents list them. Source: SPEC 7."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CloseCode:
    """Why a socket is closed, and what its client should do."""

    code: int
    meaning: str
    client_should: str


RESTARTING = CloseCode(1012, "server restarting", "reconnect with jitter")
TOKEN_EXPIRED = CloseCode(4401, "token expired or revoked", "get a new token, reconnect")
NOT_YOURS = CloseCode(4403, "not yours", "stop")
TOO_SLOW = CloseCode(4408, "too slow, did not read", "reconnect")
TOO_MANY = CloseCode(4429, "too many messages or bad messages", "back off")
OUR_ERROR = CloseCode(1011, "our error", "reconnect")

CLOSE_CODES = (RESTARTING, TOKEN_EXPIRED, NOT_YOURS, TOO_SLOW, TOO_MANY, OUR_ERROR)
