"""The commands that look and change nothing: `bin/dash doctor` at everything, `bin/dash check` at the mapping."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from cli.database import command_engine
from cli.known import REDIS_TIMEOUT_S, known_environment, load_settings
from shared.redis_client import connect
from workers.database import autocommit

MARKS = {
    "ok": "[green]ok  [/]",
    "warn": "[yellow]warn[/]",
    "fail": "[red]fail[/]",
    "info": "info   ",
    "warning": "[yellow]warning[/]",
    "error": "[red]error  [/]",
}


@click.command()
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object: {ok, checks: [{name, status, detail, advice}]}."
)
def doctor(as_json: bool) -> None:
    """Look at everything Daybook needs, and say what to do about what is missing. Exit code 1 if anything fails."""
    from cli.doctor import examine

    console = _console()
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


@click.command()
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object: {ok, findings: [{level, table, says, advice, …}]}."
)
def check(as_json: bool) -> None:
    """Look at the rows of the schema dashboard, tables or views, for what a mapping gets wrong.

    Each finding is counted, with one example and what to do. Only reads. Exit code 1 if there is an error or a warning.
    """
    from cli.mapping import check_mapping

    with autocommit(command_engine(load_settings(known_environment()).database_url)) as connection:
        findings = check_mapping(connection)
    wrong = sum(found.counts for found in findings)
    if as_json:
        print(json.dumps({"ok": not wrong, "findings": [asdict(found) for found in findings]}, indent=2))
    else:
        console = _console()
        for found in findings:
            console.print(f"{MARKS[found.level]}  {escape(str(found))} [dim]→ {escape(found.advice)}[/]")
        console.print(f"{wrong:,} {'thing is' if wrong == 1 else 'things are'} wrong" if wrong else "nothing is wrong")
    sys.exit(1 if wrong else 0)


@click.command()
@click.option("--failing", "wanted", multiple=True, flag_value="failing", help="Those that cannot be computed.")
@click.option("--drifting", "wanted", multiple=True, flag_value="drifting", help="Those that an audit found wrong.")
@click.option("--stale", "wanted", multiple=True, flag_value="stale", help="Those not computed for two sweeps.")
@click.option("--slowest", "order", flag_value="slowest", help="First those whose computation took longest.")
@click.option("--largest", "order", flag_value="largest", help="First those with most documents; reads them all.")
@click.option("--hottest", "order", flag_value="hottest", help="First those at which most people look.")
@click.option("--limit", type=click.IntRange(1), help="So many at most.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object: {tenants: [{tenant_id, state, since, reason, …}]}."
)
@click.argument("user_ids", nargs=-1, metavar="[USER_ID]...")
def tenants(wanted: tuple[Any, ...], order: Any, limit: int | None, as_json: bool, user_ids: tuple[str, ...]) -> None:
    """How each tenant is: failing, drifting, stale, waiting for its first snapshot, or ok; since when and why."""
    from cli import tenants as found

    settings = load_settings(known_environment())
    engine = command_engine(settings.database_url)
    ids = list(dict.fromkeys(user_ids)) or found.tenant_ids(engine)
    counted = found.documents(engine) if order == "largest" else None
    with connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S) as client:
        states = found.chosen(found.look(ids, client, settings, counted=counted), wanted, order)[:limit]
    if as_json:
        print(json.dumps({"tenants": [asdict(state) for state in states]}, indent=2))
        return
    print(found.head(order))
    for state in states:
        print(state)


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)
