"""The Procfile."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.clone import ROOT
from cli.local.procfile import BadProcfile, read_procfile


def test_commands_come_by_name_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "Procfile"
    path.write_text("# processes\n\nweb: serve --port 1\nworker-2:work: a b\n")
    assert list(read_procfile(path).items()) == [("web", "serve --port 1"), ("worker-2", "work: a b")]


@pytest.mark.parametrize("line", ["web", "web:", "web :serve", ": serve", "web: serve\nweb: again"])
def test_a_bad_line_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "Procfile"
    path.write_text(f"# first\n{line}\n")
    with pytest.raises(BadProcfile, match=r"Procfile, line [23]:"):
        read_procfile(path)


def test_our_own_procfile_starts_every_part() -> None:
    assert {"web", "worker", "beat", "changes"} <= set(read_procfile(ROOT / "Procfile"))
