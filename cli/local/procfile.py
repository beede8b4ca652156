"""Reads the Procfile: one `name: command` a line, as Heroku, foreman and honcho understand it."""

from __future__ import annotations

import re
from pathlib import Path

_LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)")


class BadProcfile(Exception):
    """A line is not `name: command`, or a name stands twice; the message names the line."""


def read_procfile(path: Path) -> dict[str, str]:
    """Commands by process name, in the order of the file; comments and empty lines do not count."""
    commands: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        found = _LINE.fullmatch(text)
        if found is None or found["name"] in commands:
            raise BadProcfile(f"{path.name}, line {number}: expected a new name, a colon and a command")
        commands[found["name"]] = found["command"]
    return commands
