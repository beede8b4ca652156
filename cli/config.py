"""`bin/dash config` and `bin/dash env`: the settings, for people and for a shell."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from cli.clone import ROOT, NotAClone
from cli.known import known_environment, load_settings
from cli.settings_text import effective, env_example
from shared.settings import Settings
from shared.shown_settings import VARIABLES


@click.command()
@click.option("--example", is_flag=True, help="The text of .env.example instead.")
@click.option("--update", is_flag=True, help="Write .env.example and the tables of the documents instead.")
@click.option("--running", "of_processes", is_flag=True, help="The settings of each running process instead.")
def config(example: bool, update: bool, of_processes: bool) -> None:
    """Print every setting as it holds here, secrets masked, and where running processes have others.

    Exit code 2 if any is missing or malformed.
    """
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
    # Here, for the Redis client it imports: nothing above needs one.
    from cli import running_settings

    known = known_environment()
    if of_processes:
        for line in running_settings.running(load_settings(known)):
            print(line)
        return
    print(effective(known))
    for role in ("web", "cli"):
        settings = Settings.from_env(known, role=role)
    for line in running_settings.differing(known, settings):
        print(line)


@click.command()
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
