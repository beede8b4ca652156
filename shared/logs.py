"""JSON lines on standard output for every process, with the request or task they belong to and never with a secret.

`structlog.contextvars.bind_contextvars(request_id=…)` (or task_id) adds the id to every line until the next
`clear_contextvars()`. What the libraries log through the standard library comes out in the same shape.
"""

from __future__ import annotations

import logging
import re
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "[redacted]"

_SECRET_FIELDS = frozenset({"authorization", "cookie", "jwt", "token", "ticket", "password", "secret"})
_SECRETS = (
    # A token in a URL, a form or a cookie.
    (re.compile(r"(?i)\b(jwt|ticket|token|access_token|access_token_cookie)=[^&;\s\"']+"), rf"\1={HIDDEN}"),
    (re.compile(r"(?i)\b(bearer)\s+[^\s\"']+"), rf"\1 {HIDDEN}"),
    # Any JWT, wherever it stands: its header always begins with {" in base64url.
    (re.compile(r"\beyJ[\w-]+\.[\w.-]*"), HIDDEN),
    # The user and password of an address.
    (re.compile(r"://[^/@\s\"']+@"), f"://{HIDDEN}@"),
)


def redact(text: str) -> str:
    """`text` without tokens, tickets and the credentials of addresses."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def configure_logging(level: str) -> None:
    """Send everything that this process logs from `level` on to standard output, one JSON object a line."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*_context(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def write_line(logger: str, event: str, **fields: str | float) -> None:
    """The same line as `structlog.get_logger().info(event, **fields)`, for what is said thousands of times a second.

    Nothing is looked through for secrets: say only what cannot hold one. Before `configure_logging` nothing is written.
    """
    root = logging.getLogger()
    if root.level > logging.INFO or not root.handlers or not isinstance(root.handlers[0], logging.StreamHandler):
        return
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    line = {"at": at, "event": event, "level": "info", "logger": logger, **fields}
    handler = root.handlers[0]
    with handler.lock or nullcontext():
        handler.stream.write(_to_json(None, "info", line) + "\n")
        handler.flush()


class Routine(logging.Filter):
    """On a library's logger: what it says of its routine at info (messages that begin with `begins`) is debug."""

    def __init__(self, begins: str) -> None:
        super().__init__()
        self._begins = begins

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno == logging.INFO and str(record.msg).startswith(self._begins):
            record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
        return record.levelno >= logging.getLogger().getEffectiveLevel()


def formatter() -> logging.Formatter:
    """What turns a record of the standard library, ours or a library's, into one line."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_context(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _redact_event,
            _to_json,
        ],
    )


def _context() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]


def _redact_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {key: HIDDEN if key.lower() in _SECRET_FIELDS else _redact_value(value) for key, value in event.items()}


def _redact_value(value: Any) -> Any:
    return redact(value) if isinstance(value, str) else value


def _to_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return msgspec.json.encode(event, enc_hook=str, order="deterministic").decode()
