"""`bin/dash config`: with which settings the processes run, beside what holds in this shell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import redis

from shared.keys import Keys
from shared.redis_client import connect
from shared.running import RunningProcess, running_processes
from shared.settings import Settings
from shared.shown_settings import shown_values

TIMEOUT_S = 2.0


def differing(environment: Mapping[str, str], settings: Settings) -> Iterator[str]:
    """Each running process, and every setting that it has otherwise than this shell, as comments."""
    here = shown_values(environment)
    try:
        found = _running(settings)
    except redis.RedisError as error:
        yield f"# The running processes are not known: {type(error).__name__}"
        return
    if not found:
        yield "# No process runs with this REDIS_URL and DASHBOARD_KEY_PREFIX, or none has said so yet."
    for process in found:
        otherwise = {name: value for name, value in process.settings.items() if value != here.get(name)}
        yield f"# {_title(process)}: {'runs with the same' if not otherwise else 'runs with other settings'}"
        yield from (f"#   {name}={value}" for name, value in otherwise.items())


def running(settings: Settings) -> Iterator[str]:
    """Each running process with every setting that it has. Raises redis.RedisError when Redis is away."""
    for process in _running(settings):
        yield f"# {_title(process)}"
        yield from (f"{name}={value}" for name, value in process.settings.items())


def _running(settings: Settings) -> list[RunningProcess]:
    with connect(settings.redis_url, timeout_s=TIMEOUT_S) as client:
        return running_processes(client, Keys(settings.key_prefix))


def _title(process: RunningProcess) -> str:
    since = datetime.fromtimestamp(process.started_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{process.name} {process.pid} on {process.host}, release {process.release}, since {since}"
