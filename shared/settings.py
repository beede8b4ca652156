"""Every setting, stated once: its variable, default, bounds, unit and sentence are in its field, and nowhere else.

`bin/dash config`, .env.example and the tables in README.md and docs/operations.md are made from these fields:
after a change here run `bin/dash config --update`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from shared.errors import ConfigError
from shared.setting_values import (
    OWN_PATHS,
    is_base_path,
    is_document_url,
    is_host,
    is_network,
    is_origin,
    is_rate,
    is_web_address,
)
from shared.thresholds import AlertThresholds
from shared.variables import address, checked, each, flag, given, matching, read, variable, whole, words
from shared.views import load_views

Role = Literal["web", "worker", "cli", "broker"]

SYMMETRIC = ("HS256",)
ASYMMETRIC = ("RS256", "ES256", "EdDSA")

_JWT_KEYS = ("JWT_SECRET_KEY", "JWT_PUBLIC_KEY", "JWT_JWKS_URL")
# Claims with a meaning of their own, which differs from token to token of one tenant.
_NO_TENANT = frozenset({"exp", "iat", "nbf", "jti", "iss", "aud", "type"})

_RATE = checked(is_rate, allowed="a rate such as 1200/minute", problem="must be a rate such as 1200/minute")


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtSettings:
    """How tokens are verified: exactly one of secret, public key and JWKS address is set."""

    secret_key: str | None = field(
        default=None,
        repr=False,
        metadata=variable(
            "JWT_SECRET_KEY",
            checked(
                lambda value: len(value.encode()) >= 32,
                allowed="at least 32 bytes",
                problem="must be at least 32 bytes long",
            ),
            "the key of HS256",
            secret=True,
            begins="How tokens are verified. Exactly one of the first three; bin/run makes a secret of its own for the"
            " embedded services.",
        ),
    )
    public_key: str | None = field(
        default=None,
        repr=False,
        metadata=variable(
            "JWT_PUBLIC_KEY",
            checked(
                lambda value: "-----BEGIN PUBLIC KEY-----" in value, allowed="PEM", problem="must be a PEM public key"
            ),
            "the key of RS256, ES256 or EdDSA",
        ),
    )
    jwks_url: str | None = field(
        default=None,
        metadata=variable(
            "JWT_JWKS_URL", address("https", "http"), "where the issuer publishes its keys for RS256, ES256 or EdDSA"
        ),
    )
    algorithms: tuple[str, ...] = field(
        default=SYMMETRIC,
        metadata=variable(
            "JWT_ALGORITHM",
            each(lambda value: value in SYMMETRIC + ASYMMETRIC, f"one of {', '.join(SYMMETRIC + ASYMMETRIC)}"),
            "narrows down the algorithms that the key allows",
            default_text="",
        ),
    )
    issuer: str | None = field(
        default=None, metadata=variable("JWT_ISSUER", words(), "the iss that tokens must carry; unset: not checked")
    )
    audience: str | None = field(
        default=None, metadata=variable("JWT_AUDIENCE", words(), "the aud that tokens must carry; unset: not checked")
    )
    tenant_claim: str | None = field(
        default=None,
        metadata=variable(
            "JWT_TENANT_CLAIM",
            checked(
                lambda value: value not in _NO_TENANT and value.isprintable(),
                allowed="the name of a claim, such as company_id or sub",
                problem="must name a claim that holds the tenant, none of " + ", ".join(sorted(_NO_TENANT)),
            ),
            "the claim that says whose dashboard it is, which tokens must carry; unset: tenant_id, else sub",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often a client may ask to be updated, in seconds."""

    min_s: int = field(
        default=10,
        metadata=variable(
            "DASHBOARD_INTERVAL_MIN",
            whole(1, 3600),
            "shortest update interval that a client may ask for",
            unit="s",
            begins="Limits.",
        ),
    )
    max_s: int = field(
        default=300,
        metadata=variable("DASHBOARD_INTERVAL_MAX", whole(1, 86_400), "longest update interval", unit="s"),
    )
    default_s: int = field(
        default=30,
        metadata=variable(
            "DASHBOARD_INTERVAL_DEFAULT", whole(1, 86_400), "update interval of clients that ask for none", unit="s"
        ),
    )

    def problem(self) -> str | None:
        """What is wrong between them."""
        if self.min_s <= self.default_s <= self.max_s:
            return None
        return "DASHBOARD_INTERVAL_MIN ≤ DASHBOARD_INTERVAL_DEFAULT ≤ DASHBOARD_INTERVAL_MAX does not hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Upper bounds of the performance grades, in milliseconds; beyond `poor_ms` it is critical."""

    excellent_ms: int = field(
        default=100,
        metadata=variable(
            "DASHBOARD_THRESHOLD_EXCELLENT", whole(1, 60_000), "the health check is excellent below it", unit="ms"
        ),
    )
    good_ms: int = field(
        default=500,
        metadata=variable("DASHBOARD_THRESHOLD_GOOD", whole(1, 60_000), "the health check is good below it", unit="ms"),
    )
    poor_ms: int = field(
        default=1000,
        metadata=variable(
            "DASHBOARD_THRESHOLD_POOR", whole(1, 60_000), "the health check is poor below it, critical above", unit="ms"
        ),
    )

    def problem(self) -> str | None:
        """What is wrong between them."""
        if self.excellent_ms < self.good_ms < self.poor_ms:
            return None
        return "DASHBOARD_THRESHOLD_EXCELLENT < DASHBOARD_THRESHOLD_GOOD < DASHBOARD_THRESHOLD_POOR does not hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a process is told from outside. `Settings.from_env` validates everything before anything starts."""

    database_url: str | None = field(
        default=None,
        repr=False,
        metadata=variable(
            "DATABASE_URL",
            address("postgresql", "postgres"),
            "PostgreSQL with the schema dashboard: postgresql://user:password@host:5432/db",
            roles=("worker", "cli"),
            address=True,
            begins="Where the data is. With neither address set, bin/run starts an embedded PostgreSQL and Valkey.",
        ),
    )
    redis_url: str = field(
        repr=False,
        metadata=variable(
            "REDIS_URL",
            address("redis", "rediss", "unix", "sentinel"),
            "Redis or Valkey, for instance sentinel://host:26379,host:26379/0?master=mymaster",
            roles=("web", "worker", "cli", "broker"),
            address=True,
        ),
    )
    key_prefix: str = field(
        default="daybook",
        metadata=variable(
            "DASHBOARD_KEY_PREFIX",
            matching(r"[a-z][a-z0-9_-]{0,30}", "a lower-case letter, then up to 30 letters, digits, _ or -"),
            "stands before every key, so that several Daybooks can share a Redis",
        ),
    )
    demo: bool = field(
        default=False,
        metadata=variable(
            "DASHBOARD_DEMO", flag(), "bin/run with embedded services: 0 starts without the demo tenants"
        ),
    )
    jwt: JwtSettings = JwtSettings()
    host: str = field(
        default="127.0.0.1",
        metadata=variable(
            "HOST",
            matching(r"[0-9A-Za-z.:\-]{1,255}", "an address or a host name"),
            "address to bind",
            begins="Where it listens, and which requests it accepts.",
        ),
    )
    port: int = field(default=8000, metadata=variable("PORT", whole(1, 65_535), "port to bind"))
    base_path: str = field(
        default="",
        metadata=variable(
            "DASHBOARD_BASE_PATH",
            checked(
                is_base_path,
                allowed="a path such as /dash, without a slash at its end",
                problem=f"must be a path such as /dash that begins with none of {', '.join(sorted(OWN_PATHS))}",
            ),
            "the path below which a proxy offers Daybook, whether it strips it or not",
        ),
    )
    allowed_origins: tuple[str, ...] = field(
        default=(),
        metadata=variable(
            "DASHBOARD_ALLOWED_ORIGINS",
            each(is_origin, "an origin such as https://app.example.com"),
            "origins besides our own that may use the cookie",
        ),
    )
    document_url: str | None = field(
        default=None,
        metadata=variable(
            "DASHBOARD_DOCUMENT_URL",
            checked(
                is_document_url,
                allowed="https://app.example.com/{kind}/{id}",
                problem="must be an address that starts with http:// or https:// and holds {kind} or {id} and no other {…}",
            ),
            "where a document opens in the host product; kind: invoice, credit_note, payment, refund, expense or quote",
        ),
    )
    sign_in_url: str | None = field(
        default=None,
        metadata=variable(
            "DASHBOARD_SIGN_IN_URL",
            checked(
                is_web_address,
                allowed="https://app.example.com/login",
                problem="must be an address that starts with http:// or https://",
            ),
            "where the page sends people whose token has run out",
        ),
    )
    messages: str | None = field(
        default=None,
        metadata=variable(
            "DASHBOARD_MESSAGES",
            checked(os.path.isdir, allowed="a folder", problem="must be a folder"),
            "the page's texts in more languages than English and German: a folder with a LANGUAGE.json for each",
        ),
    )
    views: str | None = field(
        default=None,
        metadata=variable(
            "DASHBOARD_VIEWS",
            words("a TOML file"),
            "what of a dashboard a token with the claim dashboard_view shows: a file with a table [views.NAME] for each",
        ),
    )
    trusted_hosts: tuple[str, ...] = field(
        default=(),
        metadata=variable(
            "DASHBOARD_TRUSTED_HOSTS",
            each(is_host, "a host name, an address or a network such as app.example.com, [::1] or 10.0.0.0/8"),
            "the hosts that are answered, beside loopback addresses; unset: HOST, any if that is every address",
        ),
    )
    trusted_proxies: tuple[str, ...] = field(
        default=(),
        metadata=variable(
            "DASHBOARD_TRUSTED_PROXIES",
            each(is_network, "an address or network such as 10.0.0.0/8"),
            "proxies whose X-Forwarded headers count",
        ),
    )
    web_concurrency: int = field(
        default=1, metadata=variable("WEB_CONCURRENCY", whole(1, 256), "web processes", begins="How many.")
    )
    worker_concurrency: int = field(
        default=2, metadata=variable("WORKER_CONCURRENCY", whole(1, 256), "processes of each Celery worker")
    )
    log_level: str = field(
        default="INFO",
        metadata=variable(
            "LOG_LEVEL",
            matching("DEBUG|INFO|WARNING|ERROR|CRITICAL", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
            "the least important messages that are logged",
        ),
    )
    intervals: Intervals = Intervals()
    cache_timeout_s: int = field(
        default=300,
        metadata=variable(
            "DASHBOARD_CACHE_TIMEOUT",
            whole(1, 86_400),
            "how often the sweep recalculates a tenant that somebody looks at: open sockets, or read within the hour",
            unit="s",
        ),
    )
    cold_timeout_s: int = field(
        default=86_400,
        metadata=variable(
            "DASHBOARD_COLD_TIMEOUT",
            whole(1, 604_800),
            "how often the sweep recalculates everyone else, spread evenly over this time",
            unit="s",
        ),
    )
    cold_delay_s: int = field(
        default=60,
        metadata=variable(
            "DASHBOARD_COLD_DELAY",
            whole(0, 3600),
            "how long changes and midnights of tenants at whom nobody looks may wait; 0: they never do",
            unit="s",
        ),
    )
    audit_interval_s: int = field(
        default=60,
        metadata=variable(
            "DASHBOARD_AUDIT_INTERVAL",
            whole(0, 86_400),
            "how often a few tenants are compared with an independent calculation; 0: never",
            unit="s",
        ),
    )
    thresholds: Thresholds = Thresholds()
    max_tenant_connections: int = field(
        default=100,
        metadata=variable(
            "DASHBOARD_MAX_WEBSOCKET_CONNECTIONS", whole(1, 100_000), "sockets and streams of one tenant at once"
        ),
    )
    max_connections: int = field(
        default=10_000,
        metadata=variable("DASHBOARD_MAX_CONNECTIONS", whole(1, 1_000_000), "connections of one web process at once"),
    )
    rate_requests: str = field(
        default="1200/minute",
        metadata=variable("DASHBOARD_RATE_REQUESTS", _RATE, "requests of one tenant"),
    )
    rate_requests_per_user: str = field(
        default="600/minute",
        metadata=variable(
            "DASHBOARD_RATE_REQUESTS_PER_USER",
            _RATE,
            "requests of one person (`sub`) of a tenant, of those of the tenant",
        ),
    )
    rate_streams: str = field(
        default="240/minute",
        metadata=variable("DASHBOARD_RATE_STREAMS", _RATE, "sockets and streams opened by one tenant"),
    )
    rate_recalculations: str = field(
        default="60/minute",
        metadata=variable("DASHBOARD_RATE_RECALCULATIONS", _RATE, "recalculations asked for by one tenant"),
    )
    rate_messages: str = field(
        default="120/minute",
        metadata=variable("DASHBOARD_RATE_MESSAGES", _RATE, "messages on one socket"),
    )
    message_burst: int = field(
        default=30,
        metadata=variable("DASHBOARD_MESSAGE_BURST", whole(1, 10_000), "messages on one socket in a burst"),
    )
    alerts: AlertThresholds = field(default_factory=AlertThresholds)

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, role: Role) -> Settings:
        """Read and check every variable that `role` needs; raise ConfigError naming all bad ones at once.

        The web process is never told where the database is: DATABASE_URL is required of workers only. "broker" is
        what every process that only sends tasks needs.
        """
        problems: list[str] = []
        values = read(cls, env, role, problems)
        values["jwt"] = _with_algorithms(values["jwt"], env, role, problems)
        settings = cls(**values)
        problems += filter(None, (settings.intervals.problem(), settings.thresholds.problem()))
        if role == "web":
            problems += _problems_of_views(settings.views)
        if problems:
            raise ConfigError(problems)
        return settings


def _problems_of_views(path: str | None) -> list[str]:
    try:
        load_views(path)
    except ValueError as error:
        return [f"DASHBOARD_VIEWS: {line}" for line in str(error).splitlines()]
    return []


def _with_algorithms(jwt: JwtSettings, env: Mapping[str, str], role: Role, problems: list[str]) -> JwtSettings:
    """The settings with the algorithms that their key allows, narrowed down; exactly one key may be given."""
    keys = [name for name in _JWT_KEYS if given(env, name)]
    if len(keys) > 1:
        problems.append(f"{' and '.join(keys)}: only one of them may be set")
    if role == "web" and not keys:
        problems.append("JWT_SECRET_KEY, JWT_PUBLIC_KEY or JWT_JWKS_URL: one of them must be set")
    allowed = SYMMETRIC if "JWT_SECRET_KEY" in keys or not keys else ASYMMETRIC
    chosen = jwt.algorithms if given(env, "JWT_ALGORITHM") else allowed
    if not set(chosen) <= set(allowed):
        problems.append(f"JWT_ALGORITHM: must be one of {', '.join(allowed)} with {(keys or _JWT_KEYS)[0]}")
    return replace(jwt, algorithms=chosen)


def realtime_dashboard(settings: Settings) -> dict[str, Any]:
    """The settings under the names of the first API description, for `bin/dash config` and the docs."""
    return {
        "UPDATE_INTERVALS": {
            "MIN": settings.intervals.min_s,
            "MAX": settings.intervals.max_s,
            "DEFAULT": settings.intervals.default_s,
        },
        "CACHE_TIMEOUT": settings.cache_timeout_s,
        "MAX_WEBSOCKET_CONNECTIONS": settings.max_tenant_connections,
        "PERFORMANCE_THRESHOLDS": {
            "EXCELLENT": settings.thresholds.excellent_ms,
            "GOOD": settings.thresholds.good_ms,
            "POOR": settings.thresholds.poor_ms,
        },
    }
