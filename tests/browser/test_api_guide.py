"""docs/api.md: every example runs as it stands, and every table says what the code says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from shared.settings import Settings
from tests.browser.conftest import Open
from tests.browser.stack import Stack
from tests.patience import PATIENCE
from tests.servers import PROJECT
from tests.tokens import token
from web.transport.close_codes import CLOSE_CODES

GUIDE = (PROJECT / "docs" / "api.md").read_text()
HOST = "localhost:8000"
TENANT = "demo"
WITHIN_S = 30 * PATIENCE
# As a reader runs it, but a refused request fails the test.
SHELL = """set -euo pipefail
curl() { command curl --fail-with-body -sS --max-time 20 "$@"; }
"""


def examples(language: str) -> list[object]:
    """The guide's blocks in a language, named by their number."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, flags=re.DOTALL | re.MULTILINE)
    return [pytest.param(block, id=str(number)) for number, block in enumerate(blocks, start=1)]


def in_place(code: str, stack: Stack) -> str:
    return code.replace(HOST, f"127.0.0.1:{stack.web.port}")


def run(command: list[str], **env: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, "TOKEN": token(TENANT), **env}, capture_output=True, text=True, timeout=WITHIN_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("code", examples("sh"))
def test_shell_example(stack: Stack, code: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    assert run(["bash", "-c", SHELL + in_place(code, stack)]).strip()


@pytest.mark.parametrize("code", examples("python"))
def test_python_example(stack: Stack, code: str) -> None:
    assert run([sys.executable, "-c", in_place(code, stack)], PYTHONPATH=str(PROJECT / "packages" / "python")).strip()


@pytest.mark.parametrize("code", examples("js"))
def test_browser_example(visit: Open, stack: Stack, code: str) -> None:
    rendered = visit(TENANT).page.evaluate(
        f"""async ([token, userId]) => {{
            let render;
            const first = new Promise((resolve) => (render = resolve));
            {in_place(code, stack)}
            return first;
        }}""",
        [token(TENANT), TENANT],
    )
    if "/notifications/" in code:
        assert rendered["state"] == "open"
    else:
        assert (rendered["user_id"], len(rendered["metrics"])) == (TENANT, 8)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under this header row."""
    table = GUIDE.split(heading, 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_close_codes_are_those_of_the_code() -> None:
    told = [[str(end.code), end.meaning, end.client_should] for end in CLOSE_CODES]
    assert rows("| close code | meaning | client should |") == told


def test_every_code_of_a_problem_is_listed_and_no_other() -> None:
    source = "\n".join(path.read_text() for path in sorted((PROJECT / "web").rglob("*.py")))
    used = set(re.findall(r"""\bcode ?= ?"([a-z_]+)"|\banswer\(\d+, "([a-z_]+)"|"(store_unavailable)",""", source))
    codes = {code for found in used for code in found if code} | {"method_not_allowed"}
    listed = [code for row in rows("| status | code | what to do |") for code in re.findall(r"`([a-z_]+)`", row[1])]
    assert sorted(listed) == sorted(codes)


def test_limits_are_the_defaults_of_the_settings() -> None:
    given = Settings(redis_url="")
    told = {row[2].strip("`"): row[1] for row in rows("| what | default | setting |")}
    assert told["DASHBOARD_RATE_REQUESTS"] == given.rate_requests
    assert told["DASHBOARD_RATE_STREAMS"] == given.rate_streams
    assert told["DASHBOARD_RATE_RECALCULATIONS"] == given.rate_recalculations
    assert told["DASHBOARD_RATE_MESSAGES"] == f"{given.rate_messages}, {given.message_burst} at once"
    assert told["DASHBOARD_MAX_WEBSOCKET_CONNECTIONS"] == str(given.max_tenant_connections)


def test_every_link_within_the_guide_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.*)$", GUIDE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", GUIDE)) <= headings
    for path in re.findall(r"\]\((?!#|http)([^)#]+)\)", GUIDE):
        assert (PROJECT / "docs" / path).exists(), path
