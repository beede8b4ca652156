"""`bin/dash`: the operator's commands. Results go to stdout, progress and errors to stderr; errors are one line."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import kombu.exceptions
import redis
from rich.console import Console
from rich.markup import escape
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from cli.clone import ROOT, environment, release, running
from cli.progress import progress
from cli.settings_text import VARIABLES, effective, env_example
from cli.tokens import make_token
from shared.alerts import LEVELS
from shared.errors import ConfigError, DaybookError
from shared.redis_client import connect
from shared.settings import Settings
from shared.snapshot import Level
from shared.thresholds import LIMITS
from workers.database import make_engine
from workers.migrate import migrate as migrate_database
from workers.roles import Login

COMPLETION = """\b
Completion for bash (zsh and fish likewise), typed in the clone:
  eval "$(_DASH_COMPLETE=bash_source bin/dash)"
"""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MARKS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}
MOST_FAILURES_SHOWN = 20
REDIS_TIMEOUT_S = 3.0
LONGEST_ANNOUNCEMENT = 1000


class Duration(click.ParamType[int]):
    """Seconds, given as 90, 90s, 15m, 12h or 7d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([1-9][0-9]{0,8})([smhd]?)", str(value), re.ASCII)
        if found is None:
            self.fail(f"{value!r} is no duration such as 90s, 15m, 12h or 7d", param, ctx)
        return int(found[1]) * _UNITS[found[2] or "s"]


class NotAClone(DaybookError):
    """Production images leave out the demo and what only a clone needs. Run the command in a clone."""


class NothingRuns(DaybookError):
    """Neither does bin/run run in this clone nor do the settings say where else. Start it, or set them."""


def known_environment() -> dict[str, str]:
    """The environment and .env; where they name no service, what the bin/run of this clone listens on."""
    given = environment()
    if given.get("DATABASE_URL") or given.get("REDIS_URL"):
        return given
    return {**given, **running()}


def load_settings(known: Mapping[str, str]) -> Settings:
    """The settings of a command; makes them this process's environment, from which Celery's app is made."""
    if not known.get("DATABASE_URL") and not known.get("REDIS_URL"):
        raise NothingRuns("nothing runs here: start bin/run, or set DATABASE_URL and REDIS_URL")
    os.environ.update(known)
    return Settings.from_env(known, role="cli")


@click.group(epilog=COMPLETION, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(release(), prog_name="Daybook")
def dash() -> None:
    """Operate Daybook: the bin/run of this clone, or what DATABASE_URL and REDIS_URL name."""


@dash.command()
@click.argument("user_id")
@click.option("--ttl", type=Duration(), default="12h", show_default=True, help="How long it is good for.")
def token(user_id: str, ttl: int) -> None:
    """Print an access token of one tenant, signed with JWT_SECRET_KEY."""
    print(make_token(user_id, load_settings(known_environment()).jwt, ttl_s=ttl))


@dash.command()
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object: {ok, checks: [{name, status, detail, advice}]}."
)
def doctor(as_json: bool) -> None:
    """Look at everything Daybook needs, and say what to do about what is missing. Exit code 1 if anything fails."""
    from cli.doctor import examine

    console = Console(highlight=False, soft_wrap=True)
    checks = []
    for check in examine(known_environment()):
        checks.append(check)
        if not as_json:
            advice = f" [dim]→ {escape(check.advice)}[/]" if check.advice else ""
            console.print(f"{MARKS[check.status]}  {check.name:<17} {escape(check.detail)}{advice}")
    healthy = all(check.status != "fail" for check in checks)
    if as_json:
        print(json.dumps({"ok": healthy, "checks": [asdict(check) for check in checks]}, indent=2))
    sys.exit(0 if healthy else 1)


@dash.command()
@click.option("--live", is_flag=True, help="Keep writing plausible new rows instead, until Ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(0.05, 3600), default=3.0, show_default=True, help="Seconds between rows."
)
@click.option("--yes", is_flag=True, help="Also into a database that bin/run does not own.")
def demo(live: bool, every: float, yes: bool) -> None:
    """Load the demo tenants anew, or keep them busy (--live)."""
    if find_spec("demo") is None:
        raise NotAClone("the demo is not part of this installation; run it in a clone")
    known = known_environment()
    settings = load_settings(known)
    if known["DATABASE_URL"] != running().get("DATABASE_URL") and not yes:
        raise click.UsageError("DATABASE_URL is not the embedded database of this clone; --yes writes the demo there")
    engine = make_engine(settings.database_url or "")
    if live:
        from demo.live import run

        with suppress(KeyboardInterrupt):
            for action in run(engine, interval_s=every, stop=threading.Event()):
                print(action, flush=True)
        return
    from demo.load import load_demo

    with progress() as advance:
        summary = load_demo(engine, progress=advance)
    for tenant in summary.tenants:
        print(f"{tenant.tenant_id:<16} {tenant.documents:>6,} documents  {tenant.name}")


@dash.command()
@click.option("--all", "everyone", is_flag=True, help="Every tenant.")
@click.argument("user_ids", nargs=-1, metavar="[USER_ID]...")
def recalculate(everyone: bool, user_ids: tuple[str, ...]) -> None:
    """Recompute tenants on the workers and wait until all are done. Exit code 1 if any failed."""
    if everyone == bool(user_ids):
        raise click.UsageError("name the tenants, or say --all")
    from cli.recalculation import recalculate as recalculate_tenants

    settings = load_settings(known_environment())
    # Celery would try to reach Redis for long before it gave up.
    with connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S) as client:
        client.ping()
    ids = _tenant_ids(settings) if everyone else list(dict.fromkeys(user_ids))
    with progress() as advance:
        report = recalculate_tenants(ids, queue="sweep" if everyone else "commands", advance=advance)
    print(report)
    for outcome in report.failures[:MOST_FAILURES_SHOWN]:
        print(f"  {outcome.tenant_id}: {outcome.reason or outcome.status}", file=sys.stderr)
    sys.exit(1 if report.failures else 0)


@dash.command()
@click.option("--all", "everyone", is_flag=True, help="Every tenant.")
@click.argument("user_ids", nargs=-1, metavar="[USER_ID]...")
def audit(everyone: bool, user_ids: tuple[str, ...]) -> None:
    """Compare what is served with an independent calculation: these tenants, or a few chosen at random.

    Tenants that drift are recomputed on the workers. Exit code 1 if any drifted.
    """
    if everyone and user_ids:
        raise click.UsageError("name the tenants, or say --all")
    from cli.audit import audit as audit_tenants

    settings = load_settings(known_environment())
    with connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S) as client, progress() as advance:
        client.ping()
        ids = _tenant_ids(settings) if everyone else list(dict.fromkeys(user_ids)) or None
        findings = audit_tenants(ids, settings, client, advance=advance)
    counts = Counter(finding.verdict for finding in findings)
    print(
        f"{len(findings):,} tenants: {counts['clean']:,} clean, {counts['drift']:,} drift, {counts['skipped']:,} skipped"
    )
    for finding in findings:
        for line in (finding.reason, *finding.lines) if finding.verdict != "clean" else ():
            if line:
                print(f"  {finding.tenant_id}: {line}", file=sys.stderr)
    sys.exit(1 if counts["drift"] else 0)


@dash.command()
@click.argument("words", metavar="TEXT")
@click.option("--tenant", "tenant_id", metavar="USER_ID", help="Only to this tenant.")
@click.option("--level", type=click.Choice(LEVELS), default="info", show_default=True)
def announce(words: str, tenant_id: str | None, level: Level) -> None:
    """Send a message to everyone who has the dashboard open. It is not stored: later visitors do not see it."""
    if not words.strip() or len(words) > LONGEST_ANNOUNCEMENT:
        raise click.UsageError(f"TEXT has 1 to {LONGEST_ANNOUNCEMENT} characters")
    from cli.announcement import announce as announce_to
    from cli.thresholds import require_tenant

    settings = load_settings(known_environment())
    if tenant_id is not None:
        require_tenant(make_engine(settings.database_url or ""), tenant_id)
    with connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S) as client:
        client.ping()
    heard = announce_to(words, tenant_id=tenant_id, level=level)
    print(f"announced to {tenant_id or 'everybody'} ({heard} web {'process' if heard == 1 else 'processes'} listening)")


@dash.group()
def threshold() -> None:
    """Where a tenant's alert rules begin. Effective at once; amounts are in the tenant's currency."""


@threshold.command(name="list")
@click.argument("user_id")
def list_thresholds(user_id: str) -> None:
    """Every rule, where it begins for this tenant, and whether that is its own."""
    from cli.thresholds import require_tenant, threshold_lines

    settings = load_settings(known_environment())
    engine = make_engine(settings.database_url or "")
    require_tenant(engine, user_id)
    for line in threshold_lines(engine, user_id, settings.alerts):
        print(line)


# A negative amount is no option.
@threshold.command(name="set", context_settings={"ignore_unknown_options": True})
@click.argument("user_id")
@click.argument("rule", type=click.Choice(tuple(LIMITS)))
@click.argument("value")
def set_threshold(user_id: str, rule: str, value: str) -> None:
    """Let RULE begin at VALUE for this tenant."""
    from cli.thresholds import require_tenant
    from cli.thresholds import set_threshold as store

    engine = make_engine(load_settings(known_environment()).database_url or "")
    require_tenant(engine, user_id)
    print(f"{rule} of {user_id} begins at {store(engine, user_id, rule, value):f}")


@threshold.command(name="clear")
@click.argument("user_id")
@click.argument("rule", type=click.Choice(tuple(LIMITS)))
def clear_threshold(user_id: str, rule: str) -> None:
    """Let RULE begin where it does for everybody."""
    from cli.thresholds import clear_threshold as remove

    engine = make_engine(load_settings(known_environment()).database_url or "")
    had = remove(engine, user_id, rule)
    print(f"{rule} of {user_id} {'begins at the default again' if had else 'was at the default'}")


@dash.command()
@click.option("--owner", metavar="ROLE", help="Give the schema to this role, made if need be. Needs a superuser, once.")
@click.option("--worker", metavar="ROLE", help="Let this role, made if need be, do what workers do and no more.")
@click.option("--worker-password", envvar="DASHBOARD_WORKER_PASSWORD", help="Set it. Better in the environment.")
def migrate(owner: str | None, worker: str | None, worker_password: str | None) -> None:
    """Bring the schema dashboard up to date, as its owner; and say who may use it."""
    settings = load_settings(known_environment())
    engine = make_engine(settings.database_url or "")
    migrate_database(
        engine, owner=Login(owner) if owner else None, worker=Login(worker, worker_password) if worker else None
    )
    with engine.connect() as connection:
        revision = connection.execute(text("SELECT version_num FROM dashboard.schema_version")).scalar_one()
    print(f"schema dashboard is at revision {revision}")


@dash.command()
@click.option("--example", is_flag=True, help="The text of .env.example instead.")
@click.option("--update", is_flag=True, help="Write .env.example and the tables of the documents instead.")
def config(example: bool, update: bool) -> None:
    """Print every setting as it holds here, secrets masked. Exit code 2 if any is missing or malformed."""
    if example:
        print(env_example(), end="")
        return
    if update:
        if find_spec("cli.local") is None:
            raise NotAClone("this installation has no documents; run it in a clone")
        from cli.local.settings_files import update as update_files

        for path in update_files(ROOT):
            print(path.relative_to(ROOT))
        return
    known = known_environment()
    print(effective(known))
    for role in ("web", "cli"):
        Settings.from_env(known, role=role)


@dash.command()
def env() -> None:
    """Print the settings for a shell, secrets included: eval "$(bin/dash env)".

    Then celery, psql and other programs find what runs here, for instance
    celery -A workers call dashboard.recalculate --args='[["USER_ID"]]'
    """
    known = known_environment()
    load_settings(known)
    for name in (one.variable.name for one in VARIABLES):
        if known.get(name):
            print(f"export {name}={shlex.quote(known[name])}")
    print(f"export PYTHONPATH={shlex.quote(str(ROOT))}")
    print(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')


def _tenant_ids(settings: Settings) -> list[str]:
    with make_engine(settings.database_url or "").connect() as connection:
        return [*connection.execute(text("SELECT tenant_id FROM dashboard.tenant ORDER BY tenant_id")).scalars()]


def main() -> None:
    """Run the command; whatever fails ends in one line on stderr and an exit code other than 0."""
    try:
        try:
            dash.main(prog_name="bin/dash", complete_var="_DASH_COMPLETE")
        finally:
            sys.stdout.flush()  # here, where a reader that has gone away can be caught
    except ConfigError as error:
        _fail("\n  ".join(["these settings are missing or malformed:", *error.problems]), code=2)
    except DaybookError as error:
        _fail(str(error))
    except SQLAlchemyError as error:
        _fail(f"the database refuses: {str(getattr(error, 'orig', None) or error).splitlines()[0]}")
    except (redis.RedisError, kombu.exceptions.OperationalError) as error:
        _fail(f"Redis does not answer: {error}")
    except BrokenPipeError:
        # The reader went away (`bin/dash config | head`); there is nobody left to tell.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _fail(f"{error.strerror}: {error.filename}" if error.filename else str(error))


def _fail(words: str, code: int = 1) -> None:
    print(f"bin/dash: {words}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
