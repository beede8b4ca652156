"""The release of Daybook, from the one place that says it."""

from __future__ import annotations

import tomllib
from pathlib import Path

_PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def release() -> str:
    """The version in pyproject.toml."""
    return str(tomllib.loads(_PROJECT.read_text())["project"]["version"])
