"""`python -m cli.local.lock [--upgrade]`: makes the requirements files, every package with its hashes, from pyproject.toml.

uv resolves for all supported Pythons and platforms at once; it is fetched into an environment of its own each time.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import tomllib
import venv
from collections.abc import Mapping
from pathlib import Path

from cli.clone import ROOT

UV = "uv==0.13.9"
LARGEST = "requirements-test.txt"
# Each lock and what uv makes it from. The largest comes first: the others must agree with it.
LOCKS: Mapping[str, tuple[str, ...]] = {
    LARGEST: ("pyproject.toml", "--extra=local", "--extra=test"),
    "requirements-local.txt": ("pyproject.toml", "--extra=local", f"--constraint={LARGEST}"),
    "requirements.txt": ("pyproject.toml", f"--constraint={LARGEST}"),
    "tests/typescript/requirements.txt": ("--group=node",),
}
COMMAND = "python -m cli.local.lock"


def lock(*, upgrade: bool) -> None:
    """Write every lock. Versions stay as they are where pyproject.toml allows it, unless told to upgrade."""
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True)
        programs = Path(directory) / "bin"
        subprocess.run([programs / "python", "-m", "pip", "install", "-q", UV], check=True)
        for name, sources in LOCKS.items():
            subprocess.run(
                [
                    programs / "uv", "pip", "compile", *sources, "-q", "-o", name,
                    "--universal", "--python-version", oldest_python(), "--generate-hashes",
                    "--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", COMMAND,
                    *(("--upgrade",) if upgrade else ()),
                ],
                cwd=ROOT, check=True,
            )  # fmt: skip


def oldest_python() -> str:
    """The oldest Python that pyproject.toml allows."""
    wanted = str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"])
    return wanted.removeprefix(">=")


def main() -> None:
    """Make the locks."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    lock(upgrade=parser.parse_args().upgrade)


if __name__ == "__main__":
    main()
