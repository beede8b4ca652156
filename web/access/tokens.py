"""Strict JWTs: what a token must look like before and after its signature is checked.

flask-jwt-extended verifies the signature with the algorithms and the key that the settings fix; it accepts duplicate
claims, endless lifetimes and claims of any type, so shape and claims are checked here. Source: SPEC 6, RFC 7515, RFC 8725.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from flask import Flask
from flask_jwt_extended import JWTManager, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException

from shared import strict_json
from shared.errors import ConfigError
from shared.settings import JwtSettings
from shared.tenant_ids import MAX_ID_CHARS, can_be_served
from shared.views import View
from web.access.keyset import KeySet
from web.http.problems import TokenExpired, TokenInvalid, UnknownView

LEEWAY_S = 30
# What a token said holds until it expires; but published keys may be withdrawn.
BELIEVED_FOR_S = 60.0
_MOST_VERIFIED = 10_000
_LATEST_S = 253_402_300_800  # the year 10000: beyond it a lifetime is a mistake or an attack
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_TYPES = frozenset({"jwt", "at+jwt"})
# These ask the verifier to do something: treat a field as critical, decompress, take or fetch a key, decrypt.
# Providers add fields of their own, which ask for nothing and are not read.
_DEMANDS = frozenset({"crit", "b64", "zip", "jku", "jwk", "x5u", "x5c", "enc", "epk"})
# What providers write into the claim `typ` of a token that only fetches other tokens.
_NOT_FOR_ACCESS = frozenset({"refresh", "offline"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking: the tenant, the person (`sub`), from and until when (epoch seconds) and the token's id, if it has one.

    view: what of the dashboard is shown; None: everything.
    """

    tenant_id: str
    subject: str
    expires_at: float
    valid_from: float = 0.0
    token_id: str | None = None
    view: View | None = None


class Tokens:
    """Verifies tokens the one way that the settings allow."""

    def __init__(self, app: Flask, settings: JwtSettings, views: Mapping[str, View]) -> None:
        """`views`: those that the claim dashboard_view may name."""
        self._app = app
        self._views = views
        self._key = settings.secret_key or settings.public_key
        self._keys = KeySet(settings.jwks_url, settings.algorithms) if settings.jwks_url else None
        self._key_ids_allowed = settings.secret_key is None
        self._tenant_claim = settings.tenant_claim
        # By digest: the tokens themselves are kept nowhere.
        self._verified: dict[bytes, tuple[Caller, float]] = {}
        algorithms = _bound(settings)
        app.config.update(
            JWT_ALGORITHM=algorithms[0],
            JWT_DECODE_ALGORITHMS=list(algorithms),
            JWT_DECODE_LEEWAY=LEEWAY_S,
            JWT_DECODE_ISSUER=settings.issuer,
            JWT_DECODE_AUDIENCE=settings.audience,
        )
        JWTManager(app).decode_key_loader(self._key_for)

    def verify(self, token: str) -> Caller:
        """The caller that `token` stands for; raises TokenExpired, UnknownView, or TokenInvalid for everything else."""
        digest = sha256(token.encode(errors="surrogatepass")).digest()
        caller, verified_at = self._verified.get(digest, (None, 0.0))
        now = time.monotonic()
        # A clock may be set back.
        if caller is None or now - verified_at > self.believed_for_s or time.time() < caller.valid_from:
            caller = self._verify(token)
            if len(self._verified) >= _MOST_VERIFIED:
                self._verified.clear()
            self._verified[digest] = (caller, now)
        _check_expiry(caller.expires_at)
        return caller

    @property
    def believed_for_s(self) -> float:
        """How long a token is believed that was verified, if it does not expire before."""
        return math.inf if self._keys is None else BELIEVED_FOR_S

    def _verify(self, token: str) -> Caller:
        header, claims = _opened(token)
        self._check_header(header)
        _check_types(claims)
        tenant_id = _tenant(claims, self._tenant_claim)
        try:
            with self._app.app_context():
                decode_token(token, allow_expired=True)
        except (jwt.PyJWTError, JWTExtendedException, ValueError, TypeError) as error:
            raise TokenInvalid("The token is not valid.") from error
        _check_expiry(claims["exp"])
        return Caller(
            tenant_id=tenant_id,
            subject=claims["sub"],
            expires_at=float(claims["exp"]),
            valid_from=float(max(claims["iat"], claims.get("nbf", 0))) - LEEWAY_S,
            token_id=claims.get("jti"),
            view=self._view(claims.get("dashboard_view")),
        )

    def _view(self, name: object) -> View | None:
        if name is None:
            return None
        found = self._views.get(name) if isinstance(name, str) else None
        if found is None:
            raise UnknownView("The token names a view (dashboard_view) that is not defined here.")
        return found

    def _check_header(self, header: Mapping[str, Any]) -> None:
        if not header.keys().isdisjoint(_DEMANDS):
            raise TokenInvalid("The token's header asks for something that is not supported.")
        kind = header.get("typ", "JWT")
        if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES:
            raise TokenInvalid("The token is of another type.")
        # Any text will do: it is compared with the ids of known keys, and never a path or part of a query.
        if "kid" in header and not (self._key_ids_allowed and isinstance(header["kid"], str)):
            raise TokenInvalid("The token names a key that is not known.")

    def _key_for(self, header: Mapping[str, Any], _: Mapping[str, Any]) -> Any:
        if self._keys is None:
            return self._key
        return self._keys.key(header.get("kid"))


def _bound(settings: JwtSettings) -> tuple[str, ...]:
    """The algorithms that the configured key can be used with; a PEM key has exactly one."""
    if settings.public_key is None:
        return settings.algorithms
    try:
        key = load_pem_public_key(settings.public_key.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(["JWT_PUBLIC_KEY: must be a PEM public key"]) from None
    algorithm = None
    if isinstance(key, RSAPublicKey) and key.key_size >= 2048:
        algorithm = "RS256"
    elif isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        algorithm = "ES256"
    elif isinstance(key, Ed25519PublicKey):
        algorithm = "EdDSA"
    if algorithm not in settings.algorithms:
        wanted = " or ".join(settings.algorithms)
        raise ConfigError([f"JWT_PUBLIC_KEY: must be a key for {wanted} (RSA of 2048 bits or more, P-256, Ed25519)"])
    return (algorithm,)


def _opened(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, not yet to be believed: three base64url parts, strict JSON objects."""
    parts = token.split(".")
    if len(parts) != 3 or not all(_SEGMENT.fullmatch(part) for part in parts):
        raise TokenInvalid("The token is malformed.")
    try:
        header, claims = (
            strict_json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2]
        )
    except (ValueError, RecursionError, binascii.Error) as error:
        raise TokenInvalid("The token is malformed.") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise TokenInvalid("The token is malformed.")
    return header, claims


def _check_types(claims: Mapping[str, Any]) -> None:
    """Required claims, and a sane value in every one that we use."""
    for name in ("exp", "iat"):
        if not _is_instant(claims.get(name)):
            raise TokenInvalid(f"The token's {name} is missing or malformed.")
    if "nbf" in claims and not _is_instant(claims["nbf"]):
        raise TokenInvalid("The token's nbf is malformed.")
    if not _is_id(claims.get("sub")):
        raise TokenInvalid("The token's sub is missing or malformed.")
    if "jti" in claims and not _is_id(claims["jti"]):
        raise TokenInvalid("The token's jti is malformed.")
    kind = claims.get("typ")
    if claims.get("type", "access") != "access" or (isinstance(kind, str) and kind.lower() in _NOT_FOR_ACCESS):
        raise TokenInvalid("Only access tokens are accepted here.")


def _check_expiry(expires_at: float) -> None:
    if expires_at <= time.time():
        raise TokenExpired("The token has expired.")


def _tenant(claims: Mapping[str, Any], named: str | None) -> str:
    """The tenant, from the claim that the settings name and nothing else, or from tenant_id, else sub."""
    name = named or ("tenant_id" if "tenant_id" in claims else "sub")
    value = claims.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not (isinstance(value, str) and can_be_served(value)):
        raise TokenInvalid(f"The token's {name} is missing or malformed.")
    return str(value)


def _is_instant(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (isinstance(value, int) or math.isfinite(value)) and 0 <= value < _LATEST_S


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS and value.isprintable()
