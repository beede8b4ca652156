"""`bin/test`: formatting, lint, types and import rules, then every test; with arguments only pytest, which gets them.

pytest comes last, so that its summary is the last line; the exit code is 0 only if everything passed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from cli.local import ROOT

CHECKS = (
    ("format", "ruff", "format", "--check", "."),
    ("lint", "ruff", "check", "."),
    ("types", "mypy"),
    ("imports", "lint-imports", "--no-cache", "--no-logo"),
)
CHROMIUM = "chromium"


def main(arguments: list[str]) -> int:
    """Run the checks and the tests; the exit code."""
    failed = []
    if not arguments:
        for name, *command in CHECKS:
            print(f"── {name}: {' '.join(command)}", flush=True)
            if subprocess.run([_program(command[0]), *command[1:]], cwd=ROOT, check=False).returncode:
                failed.append(name)
    install_chromium()
    if failed:
        print(f"── failed: {', '.join(failed)}", flush=True)
    print("── tests", flush=True)
    pytest = subprocess.run([sys.executable, "-m", "pytest", "-n", "2", *arguments], cwd=ROOT, check=False)
    return pytest.returncode or (1 if failed else 0)


def install_chromium() -> None:
    """Install Debian's chromium for the browser tests if it is missing and we may; else they say that it is missing."""
    if shutil.which(CHROMIUM) or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    if not any((ROOT / "tests" / "browser").glob("test_*.py")):
        return
    print(f"── installing {CHROMIUM} for the browser tests", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", CHROMIUM]):
        done = subprocess.run(
            ["apt-get", "-qq", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"apt-get {arguments[0]} failed:\n{done.stderr.strip()}", file=sys.stderr)
            return


def _program(name: str) -> str:
    # Beside this Python, wherever PATH leads.
    return str(Path(sys.executable).parent / name)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
