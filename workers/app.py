"""The Celery app, and what each worker process holds: an engine and a Redis client, made after the fork."""

from __future__ import annotations

import gc
import logging
import os
from dataclasses import dataclass
from functools import cache

import redis
import structlog
from celery import Celery, Task, signals
from sqlalchemy import Engine

from shared.errors import ConfigError
from shared.keys import Keys
from shared.logs import Routine, configure_logging
from shared.looked import Looked
from shared.queue_wait import stamp
from shared.redis_client import connect
from shared.set_aside import set_imports_aside
from shared.settings import Settings
from shared.store import SnapshotReader, SnapshotWriter
from shared.undisturbed import forget_foreign
from workers.alerts import AlertKeeper
from workers.broker_loss import SafelySettled, gives_lost_connections_up
from workers.capture.throttle import Throttle
from workers.database import make_engine
from workers.presence import announces_itself
from workers.remembered import Memory
from workers.shutdown import ends_in_time
from workers.source import Source

REDIS_TIMEOUT_S = 3.0
# Hardly anything that a computation makes refers to itself in a circle: looking for that after every 700 objects took a
# fortieth of its time.
YOUNG_OBJECTS = 10_000


def load_settings() -> Settings:
    """The settings of a worker process; ends the process with every bad variable named."""
    try:
        return Settings.from_env(os.environ, role="worker")
    except ConfigError as error:
        raise SystemExit("\n".join(["These settings are missing or malformed:", *error.problems])) from None


forget_foreign()
settings = load_settings()
app = Celery("daybook", task_cls=SafelySettled, include=["workers.tasks", "workers.alert_tasks"])
app.config_from_object("celeryconfig")
ends_in_time(app)
gives_lost_connections_up(app)
announces_itself(settings)


@signals.celeryd_init.connect
@signals.beat_init.connect
def _forget_again(**_: object) -> None:
    # Celery's command has put its own variables into those that it prefers to our configuration by then.
    forget_foreign()


@signals.setup_logging.connect
def _logging(**_: object) -> None:
    configure_logging(settings.log_level)
    # Celery says of each task that it was received and succeeded, with its whole result; our own lines say what it did.
    for chatty in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Every two seconds for the pulse alone: most of what would be logged at all.
    logging.getLogger("celery.beat").addFilter(Routine("Scheduler: Sending due task"))


@signals.worker_process_init.connect
def _set_aside(**_: object) -> None:
    set_imports_aside()
    gc.set_threshold(YOUNG_OBJECTS)


signals.before_task_publish.connect(stamp)


@signals.task_prerun.connect
def _bind_ids(task_id: str, task: Task, **_: object) -> None:
    # One id from the HTTP request to the task's log lines: the web process sends it as a message header.
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task_id=task_id, task=task.name)
    if request_id := task.request.get("request_id"):
        structlog.contextvars.bind_contextvars(request_id=request_id)


@signals.task_postrun.connect
def _unbind_ids(**_: object) -> None:
    structlog.contextvars.clear_contextvars()


@dataclass(frozen=True, slots=True)
class Resources:
    """What a task needs of the outside."""

    engine: Engine
    source: Source
    reader: SnapshotReader
    writer: SnapshotWriter
    redis: redis.Redis
    keys: Keys
    throttle: Throttle
    looked: Looked
    alerts: AlertKeeper
    memory: Memory


@cache
def resources() -> Resources:
    """This process's own; first asked for by a task, hence after the fork."""
    client = connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S, retries=1)
    keys = Keys(settings.key_prefix)
    engine = make_engine(settings.database_url or "")
    return Resources(
        engine=engine,
        source=Source(engine, thresholds=settings.alerts),
        reader=SnapshotReader(client, keys),
        writer=SnapshotWriter(client, keys),
        redis=client,
        keys=keys,
        throttle=Throttle(client, keys),
        looked=Looked(client, keys),
        alerts=AlertKeeper(engine, client, keys),
        memory=Memory(),
    )
