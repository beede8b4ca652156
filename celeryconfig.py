"""Celery's settings: broker, queues, limits, schedule. Lower-case Celery names only; docs/decisions says why each."""

import os
import time
from datetime import UTC, datetime, timedelta

from celery.schedules import schedule as _schedule

from shared.broker import celery_options, celery_result_url, celery_url
from shared.pulse import PULSE_INTERVAL_S
from shared.settings import Settings

_settings = Settings.from_env(os.environ, role="broker")

broker_url = celery_url(_settings)
broker_transport_options = celery_options(_settings)
result_backend = celery_result_url(_settings)
result_backend_transport_options = broker_transport_options
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_pool_limit = 4
redis_socket_timeout = 5.0
redis_socket_connect_timeout = 2.0
redis_retry_on_timeout = True
redis_socket_keepalive = True

task_serializer = result_serializer = "json"
accept_content = ["json"]
result_expires = 600
timezone = "UTC"
enable_utc = True

# A person waits for "commands", a screen for "changes", nobody for "sweep": workers take them in this order.
task_default_queue = "commands"
task_create_missing_queues = True
worker_prefetch_multiplier = 1

# A task whose worker dies is delivered again; every task may run twice without harm.
task_acks_late = True
task_reject_on_worker_lost = True
task_soft_time_limit = 18
task_time_limit = 20
task_track_started = False

worker_enable_remote_control = False
worker_send_task_events = False
worker_hijack_root_logger = False
worker_cancel_long_running_tasks_on_connection_loss = False
worker_consumer = "workers.broker_loss:SoonBack"

_began = datetime.now(UTC)
_began_s = time.monotonic()


def _steady_now() -> datetime:
    """A clock that never jumps. By the wall clock, set back by an hour, beat would send nothing for an hour."""
    return _began + timedelta(seconds=time.monotonic() - _began_s)


def _every(seconds: float) -> _schedule:
    return _schedule(timedelta(seconds=seconds), nowfun=_steady_now)


# Two beats may run: each slot of a schedule is claimed once in Redis, so a tick more does nothing, a restarted beat is
# on time at once, and what nobody took in time expires instead of piling up.
_TICK_S = 5
beat_scheduler = "celery.beat:Scheduler"
beat_max_loop_interval = 1
beat_schedule = {
    "sweep": {
        "task": "dashboard.recalculate_all",
        "schedule": _every(_TICK_S),
        "kwargs": {"scheduled": True},
        "options": {"queue": "sweep", "expires": 2 * _TICK_S, "ignore_result": True},
    },
    "mend": {
        "task": "dashboard.mend_totals",
        "schedule": _every(_TICK_S),
        "options": {"queue": "sweep", "expires": 2 * _TICK_S, "ignore_result": True},
    },
    "pulse": {
        "task": "dashboard.pulse",
        "schedule": _every(PULSE_INTERVAL_S),
        "options": {"queue": "commands", "expires": 2 * PULSE_INTERVAL_S, "ignore_result": True},
    },
}
if _settings.audit_interval_s:
    beat_schedule["audit"] = {
        "task": "dashboard.audit",
        "schedule": _every(_TICK_S),
        "kwargs": {"scheduled": True},
        "options": {"queue": "sweep", "expires": 2 * _TICK_S, "ignore_result": True},
    }
