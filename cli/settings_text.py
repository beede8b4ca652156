"""Every environment variable that Daybook reads: for .env.example and `bin/dash config`. A test holds this complete."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from shared.thresholds import LIMITS, AlertThresholds

# user:password@ of an address, and passwords among its parameters. Greedy: a password may hold an @ by mistake.
_LOGIN = re.compile(r"//([^:/@]*):.*@")
_PARAMETER = re.compile(r"(?i)(password|passwd|secret)=[^&]*")


def masked(address: str) -> str:
    """An address without its passwords; nothing at all of what is no address, for it may be anything."""
    if "://" not in address:
        return "***"
    return _PARAMETER.sub(r"\1=***", _LOGIN.sub(r"//\1:***@", address))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable. `default`: what holds when it is unset, empty when that is nothing; `secret`: never printed;
    `address`: printed without its password."""

    name: str
    default: str = ""
    text: str
    secret: bool = False
    address: bool = False

    def shown(self, value: str) -> str:
        """The value as it may be printed, on one line: without secrets, an address without its password."""
        if self.secret and value:
            return "***"
        if self.address and value:
            return masked(value)
        return value.replace("\n", "\\n")


SECTIONS: Mapping[str, tuple[Variable, ...]] = {
    "Where the data is. With neither address set, bin/run starts an embedded PostgreSQL and Valkey.": (
        Variable(
            name="DATABASE_URL",
            text="PostgreSQL with the schema dashboard: postgresql://user:password@host:5432/db",
            address=True,
        ),
        Variable(
            name="REDIS_URL",
            text="Redis or Valkey: redis://, rediss://, unix:// or sentinel://host:26379,host:26379/0?master=mymaster",
            address=True,
        ),
        Variable(name="DASHBOARD_KEY_PREFIX", default="daybook", text="put before every key, so that a Redis can be shared"),
        Variable(name="DASHBOARD_DEMO", text="bin/run with embedded services: 0 starts without the demo tenants"),
    ),
    "How tokens are verified. Exactly one of the first three; bin/run makes a secret of its own for the embedded services.": (
        Variable(name="JWT_SECRET_KEY", text="for HS256, at least 32 bytes", secret=True),
        Variable(name="JWT_PUBLIC_KEY", text="for RS256, ES256 or EdDSA: a PEM public key"),
        Variable(name="JWT_JWKS_URL", text="for RS256, ES256 or EdDSA: where the issuer publishes its keys"),
        Variable(name="JWT_ALGORITHM", text="narrows the algorithms down; several with commas"),
        Variable(name="JWT_ISSUER", text="the iss that tokens must carry; unset: not checked"),
        Variable(name="JWT_AUDIENCE", text="the aud that tokens must carry; unset: not checked"),
    ),
    "Where it listens, and who may come.": (
        Variable(name="HOST", default="127.0.0.1", text="address to bind"),
        Variable(name="PORT", default="8000", text="port to bind"),
        Variable(name="DASHBOARD_ALLOWED_ORIGINS", text="origins besides our own that may use the cookie, with commas"),
        Variable(name="DASHBOARD_TRUSTED_HOSTS", text="host names that are answered, with commas; unset: any"),
        Variable(name="DASHBOARD_TRUSTED_PROXIES", text="proxies whose X-Forwarded headers count, with commas"),
    ),
    "How many.": (
        Variable(name="WEB_CONCURRENCY", default="1", text="web processes"),
        Variable(name="WORKER_CONCURRENCY", default="2", text="processes of each Celery worker"),
        Variable(name="LOG_LEVEL", default="INFO", text="DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    ),
    "Limits (seconds, milliseconds, numbers; rates as 1200/minute).": (
        Variable(name="DASHBOARD_INTERVAL_MIN", default="10", text="shortest update interval a client may ask for, s"),
        Variable(name="DASHBOARD_INTERVAL_MAX", default="300", text="longest update interval, s"),
        Variable(name="DASHBOARD_INTERVAL_DEFAULT", default="30", text="update interval unless a client asks, s"),
        Variable(name="DASHBOARD_CACHE_TIMEOUT", default="300", text="every tenant is recalculated so often, s"),
        Variable(name="DASHBOARD_AUDIT_INTERVAL", default="60", text="a few tenants are checked so often, s; 0: never"),
        Variable(name="DASHBOARD_THRESHOLD_EXCELLENT", default="100", text="health grade below it: excellent, ms"),
        Variable(name="DASHBOARD_THRESHOLD_GOOD", default="500", text="health grade below it: good, ms"),
        Variable(name="DASHBOARD_THRESHOLD_POOR", default="1000", text="health grade below it: poor; above: critical, ms"),
        Variable(
            name="DASHBOARD_MAX_WEBSOCKET_CONNECTIONS", default="100", text="sockets and streams of one tenant at once"
        ),
        Variable(name="DASHBOARD_MAX_CONNECTIONS", default="10000", text="connections of one web process at once"),
        Variable(name="DASHBOARD_RATE_REQUESTS", default="1200/minute", text="requests of one tenant"),
        Variable(name="DASHBOARD_RATE_STREAMS", default="240/minute", text="sockets and streams opened by one tenant"),
        Variable(name="DASHBOARD_RATE_RECALCULATIONS", default="60/minute", text="recalculations asked for by one tenant"),
        Variable(name="DASHBOARD_RATE_MESSAGES", default="120/minute", text="messages on one socket"),
        Variable(name="DASHBOARD_MESSAGE_BURST", default="30", text="messages on one socket in a burst"),
    ),
    "Where alert rules begin, for tenants without a threshold of their own (bin/dash threshold). Unset: off.": tuple(
        Variable(
            name=f"DASHBOARD_ALERT_{rule.upper()}",
            default="" if (value := getattr(AlertThresholds(), rule)) is None else f"{value:f}",
            text=limit.text,
        )
        for rule, limit in LIMITS.items()
    ),
}  # fmt: skip

VARIABLES: tuple[Variable, ...] = tuple(variable for section in SECTIONS.values() for variable in section)


def env_example() -> str:
    """The text of .env.example: every variable, commented out at its default."""
    lines = [
        "# Every setting of Daybook, each at its default. Copy to .env, which bin/run and bin/dash read, or set them in the",
        "# environment, which wins. Made by: bin/dash config --example > .env.example",
    ]
    for title, variables in SECTIONS.items():
        lines += ["", f"# {title}", ""]
        for variable in variables:
            lines += [f"# {variable.text}", f"#{variable.name}={variable.default}"]
    return "\n".join(lines) + "\n"


def effective(environment: Mapping[str, str]) -> str:
    """Every variable as it holds here, one a line; secrets are masked."""
    return "\n".join(
        f"{variable.name}={variable.shown(environment.get(variable.name) or variable.default)}"
        for variable in VARIABLES
    )
