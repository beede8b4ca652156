"""How gunicorn serves the app: `gunicorn -c web/gunicorn_config.py "web.app:create_app_from_env()"`.

Read in the master before any worker exists. Lower-case names are gunicorn's. docs/decisions says why gevent.
"""

from __future__ import annotations

import logging
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from shared.errors import ConfigError
from shared.logs import formatter
from shared.set_aside import set_imports_aside
from shared.settings import Settings
from web.http.requests import MAX_URI_BYTES


def _settings() -> Settings:
    try:
        return Settings.from_env(os.environ, role="web")
    except ConfigError as error:
        raise SystemExit("\n".join(["These settings are missing or malformed:", *error.problems])) from None


_given = _settings()
# Read by prometheus_client when it is first imported, which must not happen before it is set below.
_METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
_METRICS_PREFIX = "daybook-metrics-"
# Requests still get through when sockets and streams hold all that they may.
_HEADROOM = 1000

# The usual soft limit is far below what one process can serve; web/access/slots.py keeps within what is allowed.
_allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (_allowed, _allowed))

bind = f"[{_given.host}]:{_given.port}" if ":" in _given.host else f"{_given.host}:{_given.port}"
workers = _given.web_concurrency
worker_class = "gevent"
worker_connections = _given.max_connections + _HEADROOM
max_requests = 0  # a restart by count would answer open sockets with HTTP 500
timeout = 15
graceful_timeout = 5
# Also the time within which the head of a request must arrive.
keepalive = 2
control_socket_disable = True  # its path is shared by every gunicorn of the user
http_parser = "python"
limit_request_line = (
    MAX_URI_BYTES + 24
)  # the address and the words around it; web/http/requests.py measures the address
limit_request_fields = 100
limit_request_field_size = 8192
# No header moves a path. By default a trusted proxy's SCRIPT_NAME and PATH_INFO do, and proxies pass on a client's.
forwarder_headers = ""
os.environ.pop("SCRIPT_NAME", None)  # gunicorn would serve below it, whoever set it
forwarded_allow_ips = ",".join(_given.trusted_proxies)
loglevel = _given.log_level.lower()
proc_name = "daybook-web"

if workers > 1 and _METRICS_DIR not in os.environ:
    # Metrics of all processes in one answer: they count into files that any of them can add up.
    os.environ[_METRICS_DIR] = tempfile.mkdtemp(prefix=_METRICS_PREFIX)


class JsonLogger(Logger):  # type: ignore[misc]
    """gunicorn's own messages as JSON lines; requests are logged by the app, without their query."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(formatter())
        self.error_log.handlers[:] = [handler]
        self.access_log.handlers[:] = []

    def access(self, *_: Any) -> None:
        """Nothing: see web/app.py."""


logger_class = JsonLogger


def post_worker_init(worker: Worker) -> None:
    """End cleanly and soon on SIGTERM, whatever is open."""
    from web import drain
    from web.http.deadlines import hang_up_on_idlers

    worker.handle_request = hang_up_on_idlers(worker.handle_request)
    drain.watch(worker)
    set_imports_aside()


def child_exit(_: Arbiter, worker: Worker) -> None:
    """Forget the gauges of a process that is gone."""
    if workers > 1:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_: Arbiter) -> None:
    """Leave nothing behind."""
    counted_in = Path(os.environ.get(_METRICS_DIR, ""))
    if counted_in.name.startswith(_METRICS_PREFIX):
        shutil.rmtree(counted_in, ignore_errors=True)
