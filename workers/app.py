"""The Celery app, and what each worker process holds: an engine and a Redis client, made after the fork."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

import redis
from celery import Celery, signals

from shared.errors import ConfigError
from shared.keys import Keys
from shared.logs import configure_logging
from shared.redis_client import connect
from shared.settings import Settings
from shared.store import SnapshotWriter
from workers.database import make_engine
from workers.pace import Pace
from workers.source import Source

REDIS_TIMEOUT_S = 3.0


def load_settings() -> Settings:
    """The settings of a worker process; ends the process with every bad variable named."""
    try:
        return Settings.from_env(os.environ, role="worker")
    except ConfigError as error:
        raise SystemExit("\n".join(["These settings are missing or malformed:", *error.problems])) from None


settings = load_settings()
app = Celery("daybook", include=["workers.tasks"])
app.config_from_object("celeryconfig")


@signals.setup_logging.connect
def _logging(**_: object) -> None:
    configure_logging(settings.log_level)


@dataclass(frozen=True, slots=True)
class Resources:
    """What a task needs of the outside."""

    source: Source
    writer: SnapshotWriter
    redis: redis.Redis
    keys: Keys
    pace: Pace


@cache
def resources() -> Resources:
    """This process's own; first asked for by a task, hence after the fork."""
    client = connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S, retries=1)
    keys = Keys(settings.key_prefix)
    return Resources(
        source=Source(make_engine(settings.database_url or "")),
        writer=SnapshotWriter(client, keys),
        redis=client,
        keys=keys,
        pace=Pace(client, keys),
    )
