"""What a command knows of where Daybook runs."""

from __future__ import annotations

import os
from collections.abc import Mapping

from cli.clone import environment, running
from shared.errors import DaybookError
from shared.settings import Settings

# How long a command waits for Redis.
REDIS_TIMEOUT_S = 3.0


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
