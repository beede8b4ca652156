"""What is logged is one JSON object a line, and holds no secret."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from shared.logs import HIDDEN, Routine, redact
from tests.tokens import token

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/?jwt={} HTTP/1.1",
        "/ws/dashboard/a/?ticket={}&x=1",
        "access_token_cookie={}; theme=dark",
        "Authorization: Bearer {}",
        "authorization: bearer {}",
        "token={}",
    ],
)
def test_tokens_and_tickets_are_hidden(text: str) -> None:
    for secret in (token(), "0a1b2c3d4e5f"):
        cleaned = redact(text.format(secret))
        assert secret not in cleaned
        assert HIDDEN in cleaned


def test_a_token_is_hidden_wherever_it_stands() -> None:
    assert redact(f"[{token()}]") == f"[{HIDDEN}]"


def test_credentials_of_addresses_are_hidden() -> None:
    assert redact("redis://user:pa55@host:6379/0 is away") == f"redis://{HIDDEN}@host:6379/0 is away"


def test_ordinary_text_is_left_alone() -> None:
    assert redact("snapshot_written tenant=t1 version=17-4 https://example.com/a?b=c") == (
        "snapshot_written tenant=t1 version=17-4 https://example.com/a?b=c"
    )


def test_every_line_is_json_with_the_request_it_belongs_to() -> None:
    script = f"""
import logging, warnings, structlog
from shared.logs import configure_logging, write_line
configure_logging("INFO")
structlog.contextvars.bind_contextvars(request_id="r-1")
log = structlog.get_logger()
log.debug("unseen")
log.info("seen", tenant_id="t", authorization="Bearer x", n=1)
write_line("quick", "quickly", request_id="r-1", n=1)
logging.getLogger("library").warning("took %s from redis://u:p@h", "{token()}")
try:
    raise ValueError("jwt={token()}")
except ValueError:
    log.exception("broke")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=30
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"].split()[0] for line in lines] == ["seen", "quickly", "took", "broke"]
    assert all(line["request_id"] == "r-1" and line["at"].endswith("Z") for line in lines)
    assert (lines[0]["authorization"], lines[0]["level"], lines[0]["n"]) == (HIDDEN, "info", 1)
    assert lines[1].keys() == lines[0].keys() - {"tenant_id", "authorization"}
    assert "ValueError" in lines[3]["exception"]
    assert token().split(".")[0] not in done.stdout
    assert done.stderr == ""


def test_a_librarys_routine_is_debug_and_the_rest_of_what_it_says_is_not(caplog: pytest.LogCaptureFixture) -> None:
    library, routine = logging.getLogger("a.library"), Routine("Sending due task")
    library.addFilter(routine)
    try:
        for level in (logging.INFO, logging.DEBUG):
            caplog.set_level(level)
            caplog.clear()
            library.info("Sending due task %s", "pulse")
            library.info("Starting")
            library.error("Sending due task failed")
            seen = [(record.levelname, record.getMessage()) for record in caplog.records]
            expected = [("INFO", "Starting"), ("ERROR", "Sending due task failed")]
            assert seen == ([("DEBUG", "Sending due task pulse")] if level == logging.DEBUG else []) + expected
    finally:
        library.removeFilter(routine)


def test_the_levels_of_the_settings_are_known_to_logging() -> None:
    assert all(name in logging.getLevelNamesMapping() for name in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
