"""Variables of other projects: which are taken out, and that none of ours is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.shown_settings import VARIABLES
from shared.undisturbed import is_foreign, undisturbed

PROJECT = Path(__file__).parents[2]
OURS = {"DATABASE_URL": "postgresql://h/d", "HOST": "::1", "PORT": "1", "WEB_CONCURRENCY": "2", "PATH": os.defpath}
THEIRS = {"CELERY_BROKER_URL": "x", "FLASK_DEBUG": "1", "PGSSLMODE": "require", "GUNICORN_CMD_ARGS": "-w 9", "APP": "x"}


def test_no_setting_is_taken_for_somebody_elses() -> None:
    assert [one.variable.name for one in VARIABLES if is_foreign(one.variable.name)] == []
    assert undisturbed({**OURS, **THEIRS}) == OURS


def test_a_process_begins_without_them() -> None:
    script = "import os; print(*sorted(os.environ))"
    command = [sys.executable, "-m", "shared.undisturbed", sys.executable, "-I", "-c", script]
    done = subprocess.run(
        command, env={**OURS, **THEIRS, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) - {"LC_CTYPE"} == {*OURS, "PYTHONPATH"}


@pytest.mark.parametrize("line", (PROJECT / "Procfile").read_text().splitlines())
def test_every_process_begins_undisturbed(line: str) -> None:
    assert line.partition(": ")[2].removeprefix("nice ").startswith("python -m shared.undisturbed ")
