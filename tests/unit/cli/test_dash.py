"""bin/dash's table of commands: each line leads to a command that says the same of itself, and costs nothing before."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from cli.clone import ROOT
from cli.dash import Elsewhere, dash

HEAVY = {"alembic", "celery", "cryptography", "kombu", "msgspec", "psycopg", "redis", "rich", "sqlalchemy"}


@pytest.mark.parametrize("name", dash.commands)
def test_a_command_is_what_the_list_says_and_has_help(name: str) -> None:
    listed = dash.commands[name]
    assert isinstance(listed, Elsewhere)
    command = listed.load()
    assert command.name == name
    assert " ".join((command.help or "").split()).startswith(listed.help or "nothing")
    told = CliRunner().invoke(dash, [name, "--help"])
    assert told.exit_code == 0
    assert told.stdout.startswith(f"Usage: dash {name} ")
    assert "\x1b" not in told.stdout


def test_what_follows_a_command_is_completed() -> None:
    completing = ShellComplete(dash, {}, "bin/dash", "_DASH_COMPLETE")
    assert [item.value for item in completing.get_completions(["threshold"], "s")] == ["set"]
    assert "--live" in [item.value for item in completing.get_completions(["demo"], "--")]


def test_what_runs_no_command_imports_no_driver() -> None:
    script = """if True:
        import sys
        from click.shell_completion import ShellComplete
        from cli.dash import dash
        dash.main(["--version"], standalone_mode=False)
        dash.main(["--help"], standalone_mode=False)
        assert ShellComplete(dash, {}, "bin/dash", "_DASH_COMPLETE").get_completions([], "re")
        print(*sys.modules, file=sys.stderr)
    """
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    imported = set(done.stderr.split())
    assert "cli.dash" in imported
    assert not imported & HEAVY
