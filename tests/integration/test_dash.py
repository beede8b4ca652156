"""bin/dash as its user sees it: exit codes, one line for each error, no control codes in a pipe."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jwt
import psycopg
import pytest

from cli.clone import ROOT
from shared.keys import Keys
from tests.conftest import Services
from tests.dash import Done, called, typed
from tests.servers import inherited_environment

SECRET = "s" * 32

Dash = Callable[..., Done]


@pytest.fixture
def environment(services: Services, database_url: str, keys: Keys) -> dict[str, str]:
    return {
        **inherited_environment(),
        "DATABASE_URL": database_url,
        "REDIS_URL": services.redis_url,
        "JWT_SECRET_KEY": SECRET,
        "DASHBOARD_KEY_PREFIX": keys.prefix,
        "PORT": "1",
    }


@pytest.fixture
def dash(environment: dict[str, str]) -> Dash:
    return lambda *arguments, **variables: called({**environment, **variables}, *arguments)


@pytest.fixture
def process(environment: dict[str, str]) -> Dash:
    """For one test of each command, and where a process is the point."""
    return lambda *arguments, **variables: typed({**environment, **variables}, *arguments)


def assert_one_line_error(done: Done, code: int = 1) -> None:
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr.startswith("bin/dash: ")
    assert "Traceback" not in done.stderr


def test_help_lists_every_command_without_control_codes(process: Dash) -> None:
    done = process("--help")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    for name in (
        "ingest",
        "map",
        "unmap",
        "remap",
        "token",
        "doctor",
        "demo",
        "recalculate",
        "migrate",
        "config",
        "env",
    ):
        assert f"\n  {name} " in done.stdout


def test_a_command_imported_late_has_help_of_its_own(dash: Dash) -> None:
    assert dash("threshold", "set", "--help").stdout.startswith("Usage: bin/dash threshold set ")


def test_the_version_is_that_of_the_newest_changelog_entry(dash: Dash) -> None:
    newest = next(line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## "))
    assert dash("--version").stdout == f"Daybook, version {newest.split()[1]}\n"


def test_a_shell_can_take_the_settings_over(process: Dash, environment: dict[str, str]) -> None:
    awkward = 'it\'s "quoted" $HOME `id` and more than 32 long'
    told = process("env", JWT_SECRET_KEY=awkward).stdout
    script = f'{told}\nprintf "%s\\n" "$JWT_SECRET_KEY" "$REDIS_URL"; command -v celery'
    done = subprocess.run(["/bin/sh", "-c", script], env={}, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == [awkward, environment["REDIS_URL"], str(Path(sys.executable).parent / "celery")]


def test_completion_is_offered_for_bash(process: Dash) -> None:
    script = process(_DASH_COMPLETE="bash_source").stdout
    assert "complete" in script
    offered = process(_DASH_COMPLETE="bash_complete", COMP_WORDS="bin/dash rec", COMP_CWORD="1").stdout
    assert offered.split(",")[1].strip() == "recalculate"


def test_a_token_is_all_that_is_printed_and_lasts_as_long_as_asked(process: Dash) -> None:
    done = process("token", "acme", "--ttl", "15m")
    claims = jwt.decode(done.stdout.strip(), SECRET, algorithms=["HS256"])
    assert (claims["sub"], claims["exp"] - claims["iat"]) == ("acme", 900)


@pytest.mark.parametrize("ttl", ["soon", "0", "-5m", "1w", "5 m", "٥m"])
def test_a_ttl_that_is_no_duration_is_refused(dash: Dash, ttl: str) -> None:
    done = dash("token", "acme", f"--ttl={ttl}")
    assert done.returncode == 2
    assert "no duration" in done.stderr


def test_config_shows_what_holds_and_no_secret(process: Dash, environment: dict[str, str]) -> None:
    done = process("config", DATABASE_URL="postgresql://me:hunter2@db.example.com/daybook")
    assert done.returncode == 0
    assert "DATABASE_URL=postgresql://me:***@db.example.com/daybook" in done.stdout.splitlines()
    assert f"DASHBOARD_KEY_PREFIX={environment['DASHBOARD_KEY_PREFIX']}" in done.stdout.splitlines()
    assert SECRET not in done.stdout + done.stderr


def test_bad_settings_are_all_named_and_none_is_shown(process: Dash) -> None:
    done = process("migrate", DATABASE_URL="hunter2", REDIS_URL="hunter2", PORT="hunter2")
    assert_one_line_error(done, code=2)
    assert all(name in done.stderr for name in ("DATABASE_URL", "REDIS_URL", "PORT"))
    assert "hunter2" not in done.stderr


def test_migrate_is_repeatable_and_says_where_it_is(dash: Dash) -> None:
    done = dash("migrate")
    assert done.returncode == 0
    assert done.stdout.startswith("schema dashboard is at revision ")


def test_a_database_that_is_away_is_one_clear_line(process: Dash) -> None:
    assert_one_line_error(process("migrate", DATABASE_URL="postgresql://daybook@127.0.0.1:1/nowhere"))


def test_a_redis_that_is_away_is_one_clear_line(dash: Dash) -> None:
    done = dash("recalculate", "acme", REDIS_URL="redis://127.0.0.1:1/0")
    assert_one_line_error(done)


def test_recalculate_wants_tenants_or_all_and_not_both(dash: Dash) -> None:
    assert dash("recalculate").returncode == 2
    assert dash("recalculate", "--all", "acme").returncode == 2


def test_recalculating_all_of_no_tenants_is_done_at_once(process: Dash, db: psycopg.Connection) -> None:
    db.execute("INSERT INTO dashboard.unsettled_book (tenant_id, begun_at) VALUES ('gone', now())")
    done = process("recalculate", "--all")
    assert done.returncode == 0
    assert done.stdout.startswith("0 tenants in ")
    # Whatever was taken for settled is looked at again by whoever computes it.
    assert db.execute("SELECT tenant_id, document_id FROM dashboard.unsettled").fetchall() == [("gone", None)]


def test_the_demo_is_not_written_into_a_database_of_ones_own_by_mistake(dash: Dash, db: psycopg.Connection) -> None:
    done = dash("demo")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert db.execute("SELECT count(*) FROM dashboard.tenant").fetchone() == (0,)


def test_the_demo_is_loaded_with_plain_progress_in_a_pipe(process: Dash, db: psycopg.Connection) -> None:
    done = process("demo", "--yes")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert "documents" in done.stdout
    assert db.execute("SELECT name IS NOT NULL FROM dashboard.tenant WHERE tenant_id = 'demo'").fetchone() == (True,)


def test_the_doctor_tells_well_from_ill_and_what_to_do(process: Dash) -> None:
    done = process("doctor", "--json")
    report = json.loads(done.stdout)
    found = {check["name"]: check for check in report["checks"]}
    assert done.returncode == 1
    assert not report["ok"]
    assert {name for name, check in found.items() if check["status"] == "fail"} == {"workers", "change listener", "web"}
    assert {"python", "settings", "redis", "database", "schema"} <= {n for n, c in found.items() if c["status"] == "ok"}
    assert all(check["advice"] for check in report["checks"] if check["status"] != "ok")


@pytest.mark.parametrize(
    ("variables", "status"),
    [({}, "warn"), ({"JWT_TENANT_CLAIM": "company"}, "ok"), ({"DASHBOARD_DEMO": "1"}, "ok")],
)
def test_the_doctor_warns_where_a_user_may_pass_for_a_tenant(
    dash: Dash, variables: dict[str, str], status: str
) -> None:
    checks = json.loads(dash("doctor", "--json", **variables).stdout)["checks"]
    assert [check["status"] for check in checks if check["name"] == "tenant claim"] == [status]


def test_the_doctor_names_every_bad_setting_and_no_secret(dash: Dash) -> None:
    done = dash("doctor", DATABASE_URL="hunter2", JWT_SECRET_KEY="hunter2")
    assert done.returncode == 1
    assert "DATABASE_URL" in done.stdout
    assert "JWT_SECRET_KEY" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


def test_the_doctor_survives_services_that_are_away(dash: Dash) -> None:
    away = {"DATABASE_URL": "postgresql://daybook@127.0.0.1:1/nowhere", "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = dash("doctor", "--json", **away)
    failed = {check["name"] for check in json.loads(done.stdout)["checks"] if check["status"] == "fail"}
    assert {"redis", "workers", "database", "web"} <= failed


def test_a_terminal_gets_colours_and_a_pipe_gets_none(environment: dict[str, str], tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "cli.dash", "doctor"]
    ours, theirs = pty.openpty()
    subprocess.run(argv, env={**environment, "TERM": "xterm"}, cwd=ROOT, stdout=theirs, check=False, timeout=60)
    os.close(theirs)
    assert b"\x1b[" in os.read(ours, 65_536)
    os.close(ours)
    piped = subprocess.run(
        argv, env={**environment, "TERM": "xterm"}, cwd=ROOT, capture_output=True, check=False, timeout=60
    )
    assert b"\x1b" not in piped.stdout


def test_a_reader_that_goes_away_is_no_error(environment: dict[str, str]) -> None:
    argv = [sys.executable, "-m", "cli.dash", "config", "--example"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        argv, env=environment, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writer)
    assert done.stderr == b""
