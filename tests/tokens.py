"""Tokens for tests, signed with the secret that the test servers use."""

from __future__ import annotations

import time
from typing import Any

import jwt

SECRET = "a secret for tests, of more than 32 bytes"


def token(subject: str = "tenant-1", *, ttl_s: float = 3600, secret: str = SECRET, **claims: Any) -> str:
    """A good token, or one that `claims` spoils: None leaves a claim out."""
    now = int(time.time())
    payload = {"sub": subject, "iat": now, "exp": now + ttl_s, **claims}
    return jwt.encode({k: v for k, v in payload.items() if v is not None}, secret, algorithm="HS256")


def bearer(subject: str = "tenant-1", **claims: Any) -> dict[str, str]:
    """The header that carries such a token."""
    return {"Authorization": f"Bearer {token(subject, **claims)}"}
