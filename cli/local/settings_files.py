"""`bin/dash config --update`: writes what is made from the settings into the files of the clone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cli.settings_text import env_example, full_table, short_table

BEGIN = "<!-- Made from shared/settings.py by: bin/dash config --update -->\n"
END = "<!-- end -->\n"


def expected(root: Path) -> Mapping[Path, str]:
    """Every file that lists settings, as it must be."""
    readme, operations = root / "README.md", root / "docs" / "operations.md"
    return {
        root / ".env.example": env_example(),
        readme: _with_table(readme.read_text(), short_table()),
        operations: _with_table(operations.read_text(), full_table()),
    }


def update(root: Path) -> list[Path]:
    """Write the files that are not as they must be; returns these."""
    changed = [path for path, text in expected(root).items() if not path.exists() or path.read_text() != text]
    for path in changed:
        path.write_text(expected(root)[path])
    return changed


def _with_table(text: str, table: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{table}\n{end}{after}"
