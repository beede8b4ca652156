"""Every check of `bin/dash doctor`, in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import psycopg
import redis
from sqlalchemy.exc import SQLAlchemyError

from cli.doctor import redis as of_redis
from cli.doctor.check import Check
from cli.doctor.database import database
from cli.doctor.installation import packages, python, settings_problems, tenant_claim
from cli.web_process import base_url, is_ready
from shared.errors import StoreUnavailable
from shared.keys import Keys
from shared.redis_client import connect
from shared.settings import Settings

TIMEOUT_S = 2.0


def examine(environment: Mapping[str, str]) -> Iterator[Check]:
    """Every check in turn, each told as soon as it is known. What cannot be looked at without settings is left out."""
    yield python()
    yield packages()
    problems = settings_problems(environment)
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
    yield tenant_claim(settings)
    with connect(settings.redis_url, timeout_s=TIMEOUT_S) as client:
        yield from _guarded("redis", lambda: of_redis.server(client), "start it, or correct REDIS_URL")
        yield from _guarded("workers", lambda: of_redis.workers(client, Keys(settings.key_prefix)), "see redis")
        yield from _guarded("tenants", lambda: of_redis.tenants(client, settings), "see redis")
    yield from _guarded("database", lambda: database(settings), "start it, or correct DATABASE_URL")
    yield _web(settings)


def _guarded(name: str, look: Callable[[], Iterator[Check]], advice: str) -> Iterator[Check]:
    try:
        yield from look()
    except (redis.RedisError, StoreUnavailable, SQLAlchemyError, psycopg.Error, OSError) as error:
        cause = getattr(error, "orig", None) or error
        yield Check(name=name, status="fail", detail=str(cause).splitlines()[0], advice=advice)


def _web(settings: Settings) -> Check:
    url = f"{base_url(settings)}/readyz"
    if is_ready(settings):
        return Check(name="web", status="ok", detail=f"{url} answers 200")
    return Check(
        name="web", status="fail", detail=f"{url} does not answer 200", advice="start bin/run, or the web process"
    )
