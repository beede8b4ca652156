"""A command's way to PostgreSQL."""

from __future__ import annotations

import click
from sqlalchemy import Engine

from workers.database import make_engine


def command_engine(url: str | None) -> Engine:
    """An engine for the command that runs; its connections are closed when the command ends, however it ends."""
    engine = make_engine(url or "")
    click.get_current_context().call_on_close(engine.dispose)
    return engine
