"""The settings as text: for `bin/dash config`, .env.example and the tables of the documents. From their fields alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.shown_settings import VARIABLES, shown_values
from shared.variables import Stated, Variable


def effective(environment: Mapping[str, str]) -> str:
    """Every variable as it holds here, one a line; secrets are masked."""
    return "\n".join(f"{name}={value}" for name, value in shown_values(environment).items())


def env_example() -> str:
    """The text of .env.example: every variable, commented out at its default."""
    lines = [
        "# Every setting of Daybook, each at its default. Copy to .env, which bin/run and bin/dash read, or set them in the",
        "# environment, which wins. Made from shared/settings.py by: bin/dash config --update",
    ]
    for one in VARIABLES:
        variable = one.variable
        if variable.begins:
            lines += ["", f"# {variable.begins}", ""]
        allowed = f" ({_allowed(variable)})" if _allowed(variable) else ""
        lines += [f"# {variable.text}{allowed}", f"#{variable.name}={one.default}"]
    return "\n".join(lines) + "\n"


def short_table() -> str:
    """Every variable with its default and sentence, in Markdown."""
    return _table(("variable", "default", ""), ((one, (one.variable.text,)) for one in VARIABLES))


def full_table() -> str:
    """Every variable with its default, its allowed values and its sentence, in Markdown."""
    return _table(
        ("variable", "default", "allowed", ""),
        ((one, (_allowed(one.variable), one.variable.text)) for one in VARIABLES),
    )


def _table(head: tuple[str, ...], rows: Iterator[tuple[Stated, tuple[str, ...]]]) -> str:
    lines = [f"| {' | '.join(head)} |".replace("|  |", "| |"), "|---" * len(head) + "|"]
    for one, rest in rows:
        unit = f" {one.variable.unit}" if one.variable.unit and one.default else ""
        cells = (f"`{one.variable.name}`", f"{one.default}{unit}", *rest)
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def _allowed(variable: Variable) -> str:
    return f"{variable.kind.allowed} {variable.unit}".strip()
