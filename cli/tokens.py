"""`bin/dash token`: access tokens signed with JWT_SECRET_KEY, for the demo, for trying things out, for scripts."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import click
import jwt

from cli.known import known_environment, load_settings
from shared.errors import ConfigError
from shared.settings import JwtSettings

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Duration(click.ParamType[int]):
    """Seconds, given as 90, 90s, 15m, 12h or 7d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([1-9][0-9]{0,8})([smhd]?)", str(value), re.ASCII)
        if found is None:
            self.fail(f"{value!r} is no duration such as 90s, 15m, 12h or 7d", param, ctx)
        return int(found[1]) * _UNITS[found[2] or "s"]


@click.command()
@click.argument("user_id")
@click.option("--ttl", type=Duration(), default="12h", show_default=True, help="How long it is good for.")
@click.option("--view", help="Limit it to what this view of DASHBOARD_VIEWS shows.")
def token(user_id: str, ttl: int, view: str | None) -> None:
    """Print an access token of one tenant, signed with JWT_SECRET_KEY."""
    print(make_token(user_id, load_settings(known_environment()).jwt, ttl_s=ttl, view=view))


def make_token(user_id: str, settings: JwtSettings, *, ttl_s: int, view: str | None = None) -> str:
    """An access token of one tenant, good for `ttl_s` seconds, limited to a view or not.

    Raises ConfigError without a secret to sign with."""
    if settings.secret_key is None:
        raise ConfigError(["JWT_SECRET_KEY: not set, so there is nothing to sign with; your product issues the tokens"])
    now = int(time.time())
    claims = {"sub": user_id, "iat": now, "nbf": now, "exp": now + ttl_s, "jti": uuid.uuid4().hex, "type": "access"}
    if view is not None:
        claims["dashboard_view"] = view
    if settings.issuer:
        claims["iss"] = settings.issuer
    if settings.audience:
        claims["aud"] = settings.audience
    if settings.tenant_claim:
        claims[settings.tenant_claim] = user_id
    return jwt.encode(claims, settings.secret_key, algorithm=settings.algorithms[0])
