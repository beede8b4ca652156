"""The first seconds in a fresh clone: the virtual environment, and what is said when it cannot be made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.clone import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """As much of a clone as is needed before Daybook itself is."""
    root = tmp_path / "a clone"
    for name in ("bin", "cli"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements-local.txt", "requirements-test.txt"):
        shutil.copy2(ROOT / name, root / name)
    return root


def run(clone: Path, command: str = "dash", **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **variables}
    return subprocess.run(
        [str(clone / "bin" / command), "--help"],
        cwd="/", env=environment, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip


def test_a_package_index_out_of_reach_is_said_so_and_the_next_try_begins_again(clone: Path) -> None:
    offline = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "0"}
    for _ in range(2):
        done = run(clone, **offline)
        assert done.returncode == 1
        assert "Is the package index reachable from here?" in done.stderr
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stderr
    # The second try kept the environment of the first, and made nothing in the directory it was started from.
    assert "Making .venv" not in done.stderr


def test_what_is_installed_once_is_not_installed_again_until_the_clone_moves(clone: Path) -> None:
    (clone / "requirements-local.txt").write_text("# nothing\n")
    (clone / "cli" / "dash.py").write_text("import sys; print(sys.prefix)\n")
    first, second = run(clone), run(clone)
    assert first.stdout == second.stdout == f"{clone / '.venv'}\n"
    assert "Installing requirements-local.txt" in first.stderr
    assert second.stderr == ""
    (clone / "requirements-local.txt").write_text("# still nothing, but otherwise\n")
    assert "Installing requirements-local.txt" in run(clone).stderr
    # A virtual environment names its own place, so one that moved is made anew.
    moved = clone.rename(clone.with_name("elsewhere"))
    done = run(moved)
    assert done.stdout == f"{moved / '.venv'}\n"
    assert "Making .venv" in done.stderr


def test_without_a_python_that_is_new_enough_it_says_what_it_needs(clone: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "dirname", "readlink"):
        (programs / name).symlink_to(shutil.which(name) or name)
    old = programs / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        [str(clone / "bin" / "run")],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "Daybook needs Python 3.11 or newer, as python3 in PATH.\n"


def test_it_may_be_called_through_a_link(clone: Path, tmp_path: Path) -> None:
    (clone / "cli" / "dash.py").write_text("print('it runs')\n")
    link = tmp_path / "dash"
    link.symlink_to(clone / "bin" / "dash")
    environment = {"PATH": os.environ["PATH"], "DAYBOOK_VENV": sys.prefix}
    done = subprocess.run([str(link)], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "it runs\n"
