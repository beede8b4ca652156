"""Signs access tokens with JWT_SECRET_KEY: for the demo, for trying things out, for scripts of the operator."""

from __future__ import annotations

import time
import uuid

import jwt

from shared.errors import ConfigError
from shared.settings import JwtSettings


def make_token(user_id: str, settings: JwtSettings, *, ttl_s: int) -> str:
    """An access token of one tenant, good for `ttl_s` seconds; raises ConfigError without a secret to sign with."""
    if settings.secret_key is None:
        raise ConfigError(["JWT_SECRET_KEY: not set, so there is nothing to sign with; your product issues the tokens"])
    now = int(time.time())
    claims = {"sub": user_id, "iat": now, "nbf": now, "exp": now + ttl_s, "jti": uuid.uuid4().hex, "type": "access"}
    if settings.issuer:
        claims["iss"] = settings.issuer
    if settings.audience:
        claims["aud"] = settings.audience
    if settings.tenant_claim:
        claims[settings.tenant_claim] = user_id
    return jwt.encode(claims, settings.secret_key, algorithm=settings.algorithms[0])
