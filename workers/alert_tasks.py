"""The Celery tasks of alerts: what people do with them, and what the operator announces. Names and arguments are a contract.

Each may be delivered twice: the task's id is the command's, and a command takes effect once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import redis
from celery import Task

from shared.alerts import LEVELS, METRICS, Announcement
from shared.errors import DaybookError, SourceUnavailable, StoreUnavailable
from shared.notices import Notice, encode_notice
from shared.snapshot import instant
from workers.alerts import AlertKeeper
from workers.alerts.commands import Command
from workers.app import app, resources

# Nobody waits longer than this for a click to take effect, but the click must not be lost either.
RETRIES = 20
RETRY_IN_S = 3.0


@app.task(name="dashboard.acknowledge_alert", bind=True, max_retries=RETRIES)
def acknowledge_alert(self: Task, tenant_id: str, alert_id: str, subject: str) -> None:
    """Note that this person saw to the alert. Unknown or acknowledged already: nothing happens."""
    command = Command(tenant_id=tenant_id, subject=subject, command_id=self.request.id)
    _run(self, lambda alerts: alerts.acknowledge(command, alert_id))


@app.task(name="dashboard.snooze_alert", bind=True, max_retries=RETRIES)
def snooze_alert(self: Task, tenant_id: str, alert_id: str, subject: str, until: str) -> None:
    """Put the alert off until a moment (ISO 8601 with its offset)."""
    moment = datetime.fromisoformat(until)
    if moment.tzinfo is None:
        raise ValueError("`until` needs an offset from UTC")
    command = Command(tenant_id=tenant_id, subject=subject, command_id=self.request.id)
    _run(self, lambda alerts: alerts.snooze(command, alert_id, moment))


@app.task(name="dashboard.subscribe", bind=True, max_retries=RETRIES)
def subscribe(self: Task, tenant_id: str, subject: str, levels: list[str] | None, metrics: list[str] | None) -> None:
    """Keep what this person wants to be told of; null: alerts of any level, or of any metric."""
    if not set(levels or ()) <= set(LEVELS) or not set(metrics or ()) <= set(METRICS):
        raise ValueError("there is no such level or metric")
    _run(self, lambda alerts: alerts.subscribe(tenant_id, subject, levels, metrics))


@app.task(name="dashboard.announce", bind=True, max_retries=3)
def announce(self: Task, text: str, tenant_id: str | None = None, level: str = "info") -> int:
    """Send a word to the open notification sockets of one tenant, or of all; returns how many web processes heard it.

    It is kept nowhere: who is not connected does not get it. Delivered twice it has the same id, and clients see it once.
    """
    message = msgspec.convert(
        {
            "type": "notification.new",
            "id": self.request.id,
            "level": level,
            "message": text,
            "timestamp": instant(datetime.now(UTC)),
        },
        Announcement,
    )
    held = resources()
    try:
        return int(held.redis.publish(held.keys.notices, encode_notice(Notice(tenant=tenant_id, event=message))))
    except redis.RedisError as error:
        raise self.retry(exc=DaybookError(str(error)), countdown=RETRY_IN_S) from error


def _run(task: Task, command: Callable[[AlertKeeper], None]) -> None:
    try:
        command(resources().alerts)
    except (SourceUnavailable, StoreUnavailable) as error:
        raise task.retry(exc=DaybookError(str(error)), countdown=RETRY_IN_S) from error
