"""Every setting, read from the environment here and nowhere else."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import urlsplit

from limits import parse as parse_rate

from shared.errors import ConfigError
from shared.thresholds import LIMITS, AlertThresholds, threshold

Role = Literal["web", "worker", "cli", "broker"]

SYMMETRIC = ("HS256",)
ASYMMETRIC = ("RS256", "ES256", "EdDSA")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often a client may ask to be updated, in seconds."""

    min_s: int = 10
    max_s: int = 300
    default_s: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Upper bounds of the performance grades, in milliseconds; beyond `poor_ms` it is critical."""

    excellent_ms: int = 100
    good_ms: int = 500
    poor_ms: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtSettings:
    """How tokens are verified: exactly one of secret, public key and JWKS address is set."""

    secret_key: str | None = field(default=None, repr=False)
    public_key: str | None = field(default=None, repr=False)
    jwks_url: str | None = None
    algorithms: tuple[str, ...] = SYMMETRIC
    issuer: str | None = None
    audience: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a process is told from outside. `Settings.from_env` validates everything before anything starts."""

    redis_url: str = field(repr=False)
    database_url: str | None = field(default=None, repr=False)
    jwt: JwtSettings = JwtSettings()
    key_prefix: str = "daybook"
    intervals: Intervals = Intervals()
    thresholds: Thresholds = Thresholds()
    cache_timeout_s: int = 300
    audit_interval_s: int = 60
    max_tenant_connections: int = 100
    max_connections: int = 10_000
    rate_requests: str = "1200/minute"
    rate_streams: str = "240/minute"
    rate_recalculations: str = "60/minute"
    rate_messages: str = "120/minute"
    message_burst: int = 30
    allowed_origins: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    web_concurrency: int = 1
    worker_concurrency: int = 2
    log_level: str = "INFO"
    demo: bool = False
    alerts: AlertThresholds = field(default_factory=AlertThresholds)

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, role: Role) -> Settings:
        """Read and check every variable that `role` needs; raise ConfigError naming all bad ones at once.

        The web process is never told where the database is: DATABASE_URL is required of workers only. "broker" is
        what every process that only sends tasks needs.
        """
        read = _Reader(env)
        jwt = _jwt(read, required=role == "web")
        settings = cls(
            redis_url=read.url("REDIS_URL", ("redis", "rediss", "unix", "sentinel"), required=True) or "",
            database_url=read.url("DATABASE_URL", ("postgresql", "postgres"), required=True)
            if role in ("worker", "cli")
            else None,
            jwt=jwt,
            key_prefix=read.match("DASHBOARD_KEY_PREFIX", "daybook", r"[a-z][a-z0-9_-]{0,30}"),
            intervals=Intervals(
                min_s=read.whole("DASHBOARD_INTERVAL_MIN", 10, 1, 3600),
                max_s=read.whole("DASHBOARD_INTERVAL_MAX", 300, 1, 86_400),
                default_s=read.whole("DASHBOARD_INTERVAL_DEFAULT", 30, 1, 86_400),
            ),
            thresholds=Thresholds(
                excellent_ms=read.whole("DASHBOARD_THRESHOLD_EXCELLENT", 100, 1, 60_000),
                good_ms=read.whole("DASHBOARD_THRESHOLD_GOOD", 500, 1, 60_000),
                poor_ms=read.whole("DASHBOARD_THRESHOLD_POOR", 1000, 1, 60_000),
            ),
            cache_timeout_s=read.whole("DASHBOARD_CACHE_TIMEOUT", 300, 1, 86_400),
            audit_interval_s=read.whole("DASHBOARD_AUDIT_INTERVAL", 60, 0, 86_400),
            max_tenant_connections=read.whole("DASHBOARD_MAX_WEBSOCKET_CONNECTIONS", 100, 1, 100_000),
            max_connections=read.whole("DASHBOARD_MAX_CONNECTIONS", 10_000, 1, 1_000_000),
            rate_requests=read.rate("DASHBOARD_RATE_REQUESTS", "1200/minute"),
            rate_streams=read.rate("DASHBOARD_RATE_STREAMS", "240/minute"),
            rate_recalculations=read.rate("DASHBOARD_RATE_RECALCULATIONS", "60/minute"),
            rate_messages=read.rate("DASHBOARD_RATE_MESSAGES", "120/minute"),
            message_burst=read.whole("DASHBOARD_MESSAGE_BURST", 30, 1, 10_000),
            allowed_origins=read.each(
                "DASHBOARD_ALLOWED_ORIGINS", _is_origin, "an origin such as https://app.example.com"
            ),
            trusted_hosts=read.each("DASHBOARD_TRUSTED_HOSTS", _is_host, "a host name such as app.example.com"),
            trusted_proxies=read.each(
                "DASHBOARD_TRUSTED_PROXIES", _is_network, "an address or network such as 10.0.0.0/8"
            ),
            host=read.match("HOST", "127.0.0.1", r"[0-9A-Za-z.:\-]{1,255}"),
            port=read.whole("PORT", 8000, 1, 65_535),
            web_concurrency=read.whole("WEB_CONCURRENCY", 1, 1, 256),
            worker_concurrency=read.whole("WORKER_CONCURRENCY", 2, 1, 256),
            log_level=read.match("LOG_LEVEL", "INFO", r"DEBUG|INFO|WARNING|ERROR|CRITICAL"),
            demo=read.flag("DASHBOARD_DEMO", default=False),
            alerts=AlertThresholds(**{rule: read.threshold(rule) for rule in LIMITS}),
        )
        bounds = settings.intervals
        if not bounds.min_s <= bounds.default_s <= bounds.max_s:
            read.problems.append(
                "DASHBOARD_INTERVAL_MIN ≤ DASHBOARD_INTERVAL_DEFAULT ≤ DASHBOARD_INTERVAL_MAX does not hold"
            )
        grades = settings.thresholds
        if not grades.excellent_ms < grades.good_ms < grades.poor_ms:
            read.problems.append(
                "DASHBOARD_THRESHOLD_EXCELLENT < DASHBOARD_THRESHOLD_GOOD < DASHBOARD_THRESHOLD_POOR does not hold"
            )
        if read.problems:
            raise ConfigError(read.problems)
        return settings


def _jwt(read: _Reader, *, required: bool) -> JwtSettings:
    secret, public = read.text("JWT_SECRET_KEY"), read.text("JWT_PUBLIC_KEY")
    jwks = read.url("JWT_JWKS_URL", ("https", "http"))
    given = [
        name
        for name, value in (("JWT_SECRET_KEY", secret), ("JWT_PUBLIC_KEY", public), ("JWT_JWKS_URL", jwks))
        if value
    ]
    if len(given) > 1:
        read.problems.append(f"{' and '.join(given)}: only one of them may be set")
    if required and not given:
        read.problems.append("JWT_SECRET_KEY, JWT_PUBLIC_KEY or JWT_JWKS_URL: one of them must be set")
    if secret and len(secret.encode()) < 32:
        read.problems.append("JWT_SECRET_KEY: must be at least 32 bytes long")
    if public and "-----BEGIN PUBLIC KEY-----" not in public:
        read.problems.append("JWT_PUBLIC_KEY: must be a PEM public key")
    allowed = SYMMETRIC if secret or not given else ASYMMETRIC
    chosen = tuple(part.strip() for part in read.env.get("JWT_ALGORITHM", "").split(",") if part.strip()) or allowed
    for name in chosen:
        if name not in allowed:
            read.problems.append(
                f"JWT_ALGORITHM: must be one of {', '.join(allowed)} with {given[0] if given else 'JWT_SECRET_KEY'}"
            )
            break
    return JwtSettings(
        secret_key=secret,
        public_key=public,
        jwks_url=jwks,
        algorithms=chosen,
        issuer=read.text("JWT_ISSUER"),
        audience=read.text("JWT_AUDIENCE"),
    )


class _Reader:
    """Reads one variable at a time and collects what is wrong, never its value: it may be a secret."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        return self.env.get(name, "").strip() or None

    def url(self, name: str, schemes: tuple[str, ...], *, required: bool = False) -> str | None:
        value = self.text(name)
        if value is None:
            if required:
                self.problems.append(f"{name}: must be set")
            return None
        try:
            parts = urlsplit(value)
            for host in parts.netloc.rpartition("@")[2].split(","):  # sentinels and standbys stand side by side
                _ = urlsplit(f"//{host}").port
        except ValueError:
            parts = None
        if parts is None or parts.scheme.split("+")[0] not in schemes or not (parts.netloc or parts.path):
            self.problems.append(
                f"{name}: must be an address that starts with {' or '.join(s + '://' for s in schemes)}"
            )
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) or not low <= int(value) <= high:
            self.problems.append(f"{name}: must be a whole number from {low} to {high}")
            return default
        return int(value)

    def threshold(self, rule: str) -> Decimal | None:
        name = f"DASHBOARD_ALERT_{rule.upper()}"
        default: Decimal | None = getattr(AlertThresholds(), rule)
        value = self.text(name)
        if value is None:
            return default
        try:
            return threshold(rule, value)
        except ValueError as error:
            self.problems.append(f"{name}: {error}")
            return default

    def rate(self, name: str, default: str) -> str:
        value = self.text(name)
        if value is None:
            return default
        try:
            parse_rate(value)
        except ValueError:
            self.problems.append(f"{name}: must be a rate such as {default}")
            return default
        return value

    def match(self, name: str, default: str, pattern: str) -> str:
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(pattern, value, re.ASCII):
            self.problems.append(f"{name}: must match {pattern}")
            return default
        return value

    def each(self, name: str, valid: Callable[[str], bool], wanted: str) -> tuple[str, ...]:
        values = tuple(part.strip() for part in self.env.get(name, "").split(",") if part.strip())
        if not all(valid(value) for value in values):
            self.problems.append(f"{name}: each entry must be {wanted}")
        return values

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name)
        if value is None:
            return default
        if value not in ("0", "1"):
            self.problems.append(f"{name}: must be 0 or 1")
        return value == "1"


def _is_origin(value: str) -> bool:
    parts = urlsplit(value)
    return (
        parts.scheme in ("http", "https") and bool(parts.netloc) and not (parts.path or parts.query or parts.fragment)
    )


def _is_host(value: str) -> bool:
    return re.fullmatch(r"\.?[0-9A-Za-z\-.]+", value, re.ASCII) is not None


def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True


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
