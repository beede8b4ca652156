"""`bin/dash demo`: the demo tenants, loaded anew or kept busy."""

from __future__ import annotations

import threading
from contextlib import suppress
from importlib.util import find_spec

import click

from cli.clone import NotAClone, running
from cli.database import command_engine
from cli.known import known_environment, load_settings
from cli.progress import progress


@click.command()
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
    engine = command_engine(settings.database_url)
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
