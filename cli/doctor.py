"""`bin/dash doctor`: looks at everything that Daybook needs and says what to do about what is missing."""

from __future__ import annotations

import importlib.metadata
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import psycopg
import redis
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

import workers
from cli.clone import ROOT
from cli.web_process import base_url, is_ready
from shared.errors import ConfigError
from shared.keys import Keys
from shared.pulse import PULSE_STALE_AFTER_S, Pulse
from shared.redis_client import connect
from shared.settings import Role, Settings
from workers.capture.gaps import capture_gaps
from workers.database import make_engine
from workers.source.columns import losses, missing_columns

Status = Literal["ok", "warn", "fail"]

TIMEOUT_S = 2.0
OLDEST_REDIS = (6, 2)
OLDEST_POSTGRES = 14
LARGEST_SKEW_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding; `advice` says what to do and is empty when all is well."""

    name: str
    status: Status
    detail: str
    advice: str = ""


def examine(environment: Mapping[str, str]) -> Iterator[Check]:
    """Every check in turn, each told as soon as it is known. What cannot be looked at without settings is left out."""
    yield _python()
    yield _packages()
    problems = _problems(environment)
    if problems:
        for problem in problems:
            yield Check(
                name="settings",
                status="fail",
                detail=problem,
                advice="start bin/run, or set it in the environment or in .env",
            )
        return
    settings = Settings.from_env(environment, role="cli")
    yield Check(name="settings", status="ok", detail="complete")
    yield _tenant_claim(settings)
    with connect(settings.redis_url, timeout_s=TIMEOUT_S) as client:
        yield from _guarded("redis", lambda: _redis(client), "start it, or correct REDIS_URL")
        yield from _guarded("workers", lambda: _workers(client, Keys(settings.key_prefix)), "see redis")
    yield from _guarded("database", lambda: _database(settings), "start it, or correct DATABASE_URL")
    yield _web(settings)


def _guarded(name: str, look: Callable[[], Iterator[Check]], advice: str) -> Iterator[Check]:
    try:
        yield from look()
    except (redis.RedisError, SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        yield Check(name=name, status="fail", detail=str(cause).splitlines()[0], advice=advice)


def _python() -> Check:
    # bin/dash has already refused one that is too old.
    return Check(name="python", status="ok", detail=".".join(map(str, sys.version_info[:3])))


def _packages() -> Check:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = (str(pin).split("==") for pin in project["dependencies"])
    wrong = []
    for name, version in pins:
        try:
            found = importlib.metadata.version(name.partition("[")[0])
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if found != version:
            wrong.append(f"{name} {found} instead of {version}")
    if not wrong:
        return Check(name="packages", status="ok", detail="as pinned")
    return Check(
        name="packages",
        status="warn",
        detail="; ".join(wrong),
        advice="pip install --require-hashes -r requirements.txt",
    )


def _problems(environment: Mapping[str, str]) -> list[str]:
    problems: dict[str, None] = {}
    roles: tuple[Role, ...] = ("web", "cli")
    for role in roles:
        try:
            Settings.from_env(environment, role=role)
        except ConfigError as error:
            problems.update(dict.fromkeys(error.problems))
    return list(problems)


def _tenant_claim(settings: Settings) -> Check:
    named = settings.jwt.tenant_claim
    if named or settings.demo:
        return Check(name="tenant claim", status="ok", detail=named or "tenant_id, else sub: the demo's tokens")
    return Check(
        name="tenant claim",
        status="warn",
        detail="JWT_TENANT_CLAIM is not set: a token without tenant_id opens the tenant whose id is its sub",
        advice="set it to the claim of your tokens that holds the tenant (sub, if users are tenants)",
    )


def _redis(client: redis.Redis) -> Iterator[Check]:
    info: dict[str, Any] = client.info()
    version = str(info.get("valkey_version") or info["redis_version"])
    product = "Valkey" if "valkey_version" in info else "Redis"
    # Valkey reports the Redis version that it is compatible with beside its own.
    compatible = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2])
    new_enough = compatible >= OLDEST_REDIS
    yield Check(
        name="redis",
        status="ok" if new_enough else "fail",
        detail=f"{product} {version}",
        advice="" if new_enough else "needs Redis 6.2 or newer",
    )
    policy = info.get("maxmemory_policy", "noeviction")
    evicts = policy != "noeviction"
    yield Check(
        name="redis memory",
        status="warn" if evicts else "ok",
        detail=f"maxmemory-policy {policy}",
        advice="set maxmemory-policy noeviction: an evicted queue loses tasks" if evicts else "",
    )
    persistent = bool(info.get("aof_enabled"))
    yield Check(
        name="redis persistence",
        status="ok" if persistent else "warn",
        detail="append-only" if persistent else "not append-only",
        advice="" if persistent else "set appendonly yes: a restart then loses neither tasks nor snapshots",
    )
    seconds, microseconds = client.time()
    yield _clock("redis clock", seconds + microseconds / 1e6)


def _workers(client: redis.Redis, keys: Keys) -> Iterator[Check]:
    stored, listened = client.mget(keys.pulse, keys.listener)
    start = "start the worker and beat processes of the Procfile, and look at their output"
    if stored is None:
        yield Check(name="workers", status="fail", detail="no task has finished yet", advice=start)
    else:
        age_s = time.time() - msgspec.json.decode(stored, type=Pulse).at_ms / 1000
        alive = age_s <= PULSE_STALE_AFTER_S
        yield Check(
            name="workers",
            status="ok" if alive else "fail",
            detail=f"last task finished {max(age_s, 0):.0f} s ago",
            advice="" if alive else start,
        )
    listener_age_s = time.time() - int(listened) / 1000 if listened else None
    listening = listener_age_s is not None and listener_age_s <= PULSE_STALE_AFTER_S
    yield Check(
        name="change listener",
        status="ok" if listening else "fail",
        detail="never seen" if listener_age_s is None else f"last pass {max(listener_age_s, 0):.0f} s ago",
        advice="" if listening else "start the changes process of the Procfile, and look at its output",
    )


def _database(settings: Settings) -> Iterator[Check]:
    engine = make_engine(settings.database_url or "")
    try:
        with engine.connect() as connection:
            number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
            new_enough = number // 10_000 >= OLDEST_POSTGRES
            yield Check(
                name="database",
                status="ok" if new_enough else "fail",
                detail=f"PostgreSQL {number // 10_000}.{number % 10_000}",
                advice="" if new_enough else f"needs PostgreSQL {OLDEST_POSTGRES} or newer",
            )
            yield _clock(
                "database clock", float(connection.execute(text("SELECT extract(epoch FROM now())")).scalar_one())
            )
            has_schema = connection.execute(text("SELECT to_regclass('dashboard.schema_version')")).scalar_one()
            revision = None
            if has_schema:
                revision = connection.execute(text("SELECT version_num FROM dashboard.schema_version")).scalar()
            newest = _newest_revision()
            yield Check(
                name="schema",
                status="ok" if revision == newest else "fail",
                detail=f"revision {revision or 'none'} of {newest}",
                advice="" if revision == newest else "bin/dash migrate",
            )
            if revision:
                tenants = connection.execute(text("SELECT count(*) FROM dashboard.tenant")).scalar_one()
                yield Check(
                    name="tenants",
                    status="ok" if tenants else "warn",
                    detail=f"{tenants:,}",
                    advice=""
                    if tenants
                    else "fill dashboard.tenant, or put a view in its place; bin/dash demo loads some",
                )
                for column, lost in losses(missing_columns(connection)):
                    yield Check(
                        name="column",
                        status="warn",
                        detail=f"no {column}: {lost}",
                        advice="add it to the view, if there is such a thing",
                    )
            if revision == newest:
                yield from _capture(engine)
    finally:
        engine.dispose()


def _capture(engine: Engine) -> Iterator[Check]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 (for the type checker: the engine's driver)
        gaps = capture_gaps(driver)
    if not gaps:
        yield Check(name="change capture", status="ok", detail="every table that is read is tracked")
    for gap in gaps:
        status: Status = "fail" if gap.lossy else "warn"
        yield Check(name="change capture", status=status, detail=f"{gap.table}: {gap.detail}", advice=gap.advice)


def _newest_revision() -> str | None:
    config = Config()
    config.set_main_option("script_location", str(Path(workers.__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config).get_current_head()


def _clock(name: str, their_time_s: float) -> Check:
    skew_s = abs(time.time() - their_time_s)
    same = skew_s <= LARGEST_SKEW_S
    return Check(
        name=name,
        status="ok" if same else "warn",
        detail=f"{skew_s:.1f} s from ours",
        advice="" if same else "set both clocks by NTP: ages and days are told wrong",
    )


def _web(settings: Settings) -> Check:
    url = f"{base_url(settings)}/readyz"
    if is_ready(settings):
        return Check(name="web", status="ok", detail=f"{url} answers 200")
    return Check(
        name="web", status="fail", detail=f"{url} does not answer 200", advice="start bin/run, or the web process"
    )
