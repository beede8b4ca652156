"""Tokens for the demo and for scripts."""

from __future__ import annotations

import jwt
import pytest

from cli.tokens import make_token
from shared.errors import ConfigError
from shared.settings import JwtSettings

SECRET = "k" * 32


def test_a_token_carries_what_the_web_process_asks_for() -> None:
    settings = JwtSettings(secret_key=SECRET, issuer="me", audience="you")
    claims = jwt.decode(
        make_token("demo", settings, ttl_s=60),
        SECRET,
        algorithms=["HS256"],
        issuer="me",
        audience="you",
        options={"require": ["exp", "iat", "sub", "jti"]},
    )
    assert claims["sub"] == "demo"
    assert claims["exp"] - claims["iat"] == 60


def test_without_a_secret_there_is_nothing_to_sign_with() -> None:
    with pytest.raises(ConfigError, match="JWT_SECRET_KEY"):
        make_token("demo", JwtSettings(public_key="…", algorithms=("RS256",)), ttl_s=60)


def test_the_tenant_stands_in_the_claim_that_the_settings_name() -> None:
    settings = JwtSettings(secret_key=SECRET, tenant_claim="company")
    claims = jwt.decode(make_token("demo", settings, ttl_s=60), SECRET, algorithms=["HS256"])
    assert (claims["company"], claims["sub"]) == ("demo", "demo")
