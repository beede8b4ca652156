"""What makes a token acceptable, and everything that does not."""

from __future__ import annotations

import base64
import json
import time
from datetime import datetime, timedelta, tzinfo
from typing import Any, Self

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask

from shared.errors import ConfigError
from shared.settings import ASYMMETRIC, JwtSettings
from tests.tokens import SECRET, token
from web.access.tokens import Tokens
from web.http.problems import TokenExpired, TokenInvalid

NOW = int(time.time())
HUGE = 10**400


def tokens(**settings: Any) -> Tokens:
    return Tokens(Flask("test"), JwtSettings(**({"secret_key": SECRET} | settings)), {})


def part(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: dict[str, Any] | bytes, claims: dict[str, Any] | bytes, secret: str = SECRET) -> str:
    """A token whose signature is good whatever header and claims are."""
    algorithm = jwt.get_algorithm_by_name("HS256")
    text = f"{part(header)}.{part(claims)}"
    return f"{text}.{part(algorithm.sign(text.encode(), secret.encode()))}"


GOOD_HEADER = {"alg": "HS256", "typ": "JWT"}
GOOD_CLAIMS = {"sub": "t", "iat": NOW, "exp": NOW + 86_400}


def public_pem(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "ascii")


def test_the_tenant_is_the_tenant_id_claim_else_the_subject() -> None:
    assert tokens().verify(token("person")).tenant_id == "person"
    caller = tokens().verify(token("person", tenant_id="business", jti="id-1"))
    assert (caller.tenant_id, caller.subject, caller.token_id) == ("business", "person", "id-1")


def test_what_was_verified_is_believed_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    known, text = tokens(), signed(GOOD_HEADER, GOOD_CLAIMS)
    assert known.verify(text) is known.verify(text)
    with pytest.raises(TokenInvalid):
        known.verify(text[:-4] + "AAAA")
    monkeypatch.setattr(time, "time", lambda: float(NOW + 86_400))
    with pytest.raises(TokenExpired):
        known.verify(text)


def test_what_was_verified_is_looked_at_again_by_a_clock_that_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    class SetBack(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) - timedelta(hours=1)

    known, text = tokens(), signed(GOOD_HEADER, GOOD_CLAIMS)
    known.verify(text)
    monkeypatch.setattr(time, "time", lambda: NOW - 3600.0)
    monkeypatch.setattr("jwt.api_jwt.datetime", SetBack)
    with pytest.raises(TokenInvalid):
        known.verify(text)


def test_a_caller_knows_when_the_token_expires() -> None:
    assert tokens().verify(signed(GOOD_HEADER, GOOD_CLAIMS)).expires_at == NOW + 86_400


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"exp": "x"},
        {"exp": [NOW + 60]},
        {"exp": HUGE},
        {"exp": True},
        {"exp": -1},
        {"iat": NOW + 3600},
        {"iat": "now"},
        {"nbf": NOW + 3600},
        {"nbf": "later"},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a" * 256},
        {"sub": "a\nb"},
        {"sub": "a\0b"},
        {"tenant_id": True},
        {"tenant_id": 7.0},
        {"tenant_id": HUGE},
        {"tenant_id": ""},
        {"tenant_id": ["a"]},
        {"jti": 1},
        {"type": "refresh"},
        {"type": 1},
        {"typ": "Refresh"},
        {"typ": "Offline"},
    ],
)
def test_missing_and_malformed_claims_are_refused(claims: dict[str, Any]) -> None:
    spoiled = {k: v for k, v in (GOOD_CLAIMS | claims).items() if v is not None}
    with pytest.raises(TokenInvalid) as refused:
        tokens().verify(signed(GOOD_HEADER, spoiled))
    assert refused.value.code == "token_invalid"


def test_a_tenant_may_be_a_whole_number() -> None:
    assert tokens().verify(token("person", tenant_id=7)).tenant_id == "7"
    named = tokens(tenant_claim="https://example.com/org")
    caller = named.verify(signed(GOOD_HEADER, GOOD_CLAIMS | {"https://example.com/org": 2**60}))
    assert caller.tenant_id == str(2**60)


def test_a_named_tenant_claim_is_the_only_one_that_counts() -> None:
    checker = tokens(tenant_claim="company")
    caller = checker.verify(token("2", company="acme", tenant_id="other"))
    assert (caller.tenant_id, caller.subject) == ("acme", "2")
    assert tokens(tenant_claim="sub").verify(token("2", tenant_id="other")).tenant_id == "2"


@pytest.mark.parametrize("claims", [{}, {"tenant_id": "2"}, {"company": ""}, {"company": True}, {"company": ["2"]}])
def test_user_2_does_not_open_tenant_2_where_the_tenant_claim_is_named(claims: dict[str, Any]) -> None:
    assert tokens().verify(token("2")).tenant_id == "2"
    with pytest.raises(TokenInvalid, match="company"):
        tokens(tenant_claim="company").verify(token("2", **claims))


def test_a_null_tenant_claim_is_a_missing_one() -> None:
    with pytest.raises(TokenInvalid, match="company"):
        tokens(tenant_claim="company").verify(signed(GOOD_HEADER, GOOD_CLAIMS | {"company": None}))


def test_a_null_tenant_id_is_not_a_missing_one() -> None:
    with pytest.raises(TokenInvalid):
        tokens().verify(signed(GOOD_HEADER, GOOD_CLAIMS | {"tenant_id": None}))


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_clocks_may_differ_by_half_a_minute(name: str) -> None:
    assert tokens().verify(signed(GOOD_HEADER, GOOD_CLAIMS | {name: time.time() + 25}))


def test_an_expired_token_is_told_apart() -> None:
    with pytest.raises(TokenExpired) as refused:
        tokens().verify(token(ttl_s=-1))
    assert refused.value.code == "token_expired"


def test_an_expired_token_with_a_bad_signature_is_merely_invalid() -> None:
    with pytest.raises(TokenInvalid) as refused:
        tokens().verify(token(ttl_s=-1, secret="another secret of more than 32 bytes"))
    assert refused.value.code == "token_invalid"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a.b.c",
        "a.b.c.d.e",
        "é.b.c",
        token() + ".x",
        token() + "=",
        token().replace(".", ".."),
        " " + token(),
        token()[:-4] + "AAAA",
        signed(b"[" * 5000, GOOD_CLAIMS),
        signed(GOOD_HEADER, b"[" * 5000),
        signed(GOOD_HEADER, b'{"a":' * 5000),
        signed(GOOD_HEADER, b"[]"),
        signed(b"null", GOOD_CLAIMS),
        signed(GOOD_HEADER, b"\xff\xfe"),
        signed(GOOD_HEADER, json.dumps(GOOD_CLAIMS)[:-1].encode() + b',"sub":"other"}'),
        signed(GOOD_HEADER, json.dumps(GOOD_CLAIMS)[:-1].encode() + b',"exp":NaN}'),
        signed(GOOD_HEADER, b'{"sub":"t","iat":1,"exp":Infinity}'),
        signed(GOOD_HEADER, b'{"sub":"t","iat":1,"exp":1e400}'),
        signed(b'{"alg":"HS256","alg":"HS256"}', GOOD_CLAIMS),
    ],
)
def test_malformed_tokens_are_refused(text: str) -> None:
    with pytest.raises(TokenInvalid):
        tokens().verify(text)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "nOnE"},
        {"alg": "HS512"},
        {"alg": None},
        {"alg": ["HS256"]},
        {},
        {"alg": "HS256", "crit": ["exp"]},
        {"alg": "HS256", "zip": "DEF"},
        {"alg": "HS256", "b64": False},
        {"alg": "HS256", "jku": "https://evil.example/keys"},
        {"alg": "HS256", "x5u": "https://evil.example/cert"},
        {"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}},
        {"alg": "HS256", "x5c": ["MIIB"]},
        {"alg": "HS256", "enc": "A256GCM"},
        {"alg": "HS256", "typ": "application/rt+jwt"},
        {"alg": "HS256", "typ": "JWE"},
        {"alg": "HS256", "typ": 1},
        {"alg": "HS256", "kid": "any"},
        {"alg": "HS256", "kid": "../../dev/null"},
        {"alg": "HS256", "kid": "' OR 1=1"},
    ],
)
def test_headers_that_ask_for_something_are_refused(header: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        tokens().verify(signed(header, GOOD_CLAIMS))


@pytest.mark.parametrize(
    "fields",
    [
        {"typ": "application/at+jwt"},
        {"typ": "at+JWT"},
        {"cat": "cl_B7d4PD222AAA", "oiat": NOW, "cty": "JWT"},
        {"x5t": "abc", "iss": "https://issuer.example", "ver": {"any": ["thing"]}},
    ],
)
def test_what_providers_add_to_a_header_is_accepted(fields: dict[str, Any]) -> None:
    assert tokens().verify(signed(GOOD_HEADER | fields, GOOD_CLAIMS)).tenant_id == "t"


def test_an_unsigned_token_is_refused() -> None:
    with pytest.raises(TokenInvalid):
        tokens().verify(f"{part({'alg': 'none'})}.{part(GOOD_CLAIMS)}.")


def test_a_longer_hmac_with_the_same_secret_is_refused() -> None:
    with pytest.raises(TokenInvalid):
        tokens().verify(jwt.encode(GOOD_CLAIMS, SECRET * 2, algorithm="HS512"))


@pytest.mark.parametrize("claims", [{}, {"iss": "other"}, {"iss": ["us"]}, {"iss": "us/"}])
def test_a_configured_issuer_must_match(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        tokens(issuer="us").verify(signed(GOOD_HEADER, GOOD_CLAIMS | claims))
    assert tokens(issuer="us").verify(signed(GOOD_HEADER, GOOD_CLAIMS | {"iss": "us"}))


@pytest.mark.parametrize("claims", [{}, {"aud": "other"}, {"aud": []}, {"aud": {"dash": 1}}, {"aud": 3}])
def test_a_configured_audience_must_match(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenInvalid):
        tokens(audience="dash").verify(signed(GOOD_HEADER, GOOD_CLAIMS | claims))
    assert tokens(audience="dash").verify(signed(GOOD_HEADER, GOOD_CLAIMS | {"aud": ["dash", "more"]}))


def test_issuer_and_audience_are_ignored_when_not_configured() -> None:
    assert tokens().verify(signed(GOOD_HEADER, GOOD_CLAIMS | {"iss": "x", "aud": "y"}))


KEYS: dict[str, PrivateKeyTypes] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_public_key_verifies_its_own_algorithm_only(algorithm: str) -> None:
    key: Any = KEYS[algorithm]
    checker = tokens(secret_key=None, public_key=public_pem(key), algorithms=ASYMMETRIC)
    assert checker.verify(jwt.encode(GOOD_CLAIMS, key, algorithm=algorithm)).tenant_id == "t"
    assert checker.verify(jwt.encode(GOOD_CLAIMS, key, algorithm=algorithm, headers={"kid": "2026-01"}))
    # There is only one key, so its name says nothing; it is not looked up anywhere.
    assert checker.verify(jwt.encode(GOOD_CLAIMS, key, algorithm=algorithm, headers={"kid": "a+b/../c=="}))
    # The public key is public: used as an HMAC secret it must prove nothing.
    with pytest.raises(TokenInvalid):
        checker.verify(signed(GOOD_HEADER, GOOD_CLAIMS, secret=public_pem(key)))
    for other in set(ASYMMETRIC) - {algorithm}:
        other_key: Any = KEYS[other]
        with pytest.raises(TokenInvalid):
            checker.verify(jwt.encode(GOOD_CLAIMS, other_key, algorithm=other))


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505 - too short on purpose
    ],
)
def test_weak_and_foreign_public_keys_stop_the_start(key: Any) -> None:
    with pytest.raises(ConfigError, match="JWT_PUBLIC_KEY"):
        tokens(secret_key=None, public_key=public_pem(key), algorithms=ASYMMETRIC)
