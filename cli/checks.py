"""`bin/test`: formatting, lint, types and import rules, then every test; with arguments only pytest, which gets them.
`bin/test --clocks`: only what looks at days, on many of them (tests/clocks).

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
    ("clocks", "python", "-m", "tests.clocks"),
)
# Debian's name of a program that some tests start, and where it may be.
PROGRAMS = ("chromium", "nginx", "caddy")
SBIN = "/usr/sbin:/sbin"


def main(arguments: list[str]) -> int:
    """Run the checks and the tests; the exit code."""
    if arguments == ["--clocks"]:
        return subprocess.run([sys.executable, "-m", "tests.clocks", "--long"], cwd=ROOT, check=False).returncode
    failed = []
    if not arguments:
        for name, *command in CHECKS:
            print(f"── {name}: {' '.join(command)}", flush=True)
            if subprocess.run([_program(command[0]), *command[1:]], cwd=ROOT, check=False).returncode:
                failed.append(name)
    install_programs()
    if failed:
        print(f"── failed: {', '.join(failed)}", flush=True)
    print("── tests", flush=True)
    pytest = subprocess.run([sys.executable, "-m", "pytest", "-n", "2", *arguments], cwd=ROOT, check=False)
    return pytest.returncode or (1 if failed else 0)


def install_programs() -> None:
    """Install what is missing of Debian's programs that tests start, if we may; else those tests say what is missing."""
    path = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{SBIN}"
    missing = [program for program in PROGRAMS if not shutil.which(program, path=path)]
    if not missing or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print(f"── installing {', '.join(missing)} for the tests", flush=True)
    # RUNLEVEL=1: packages of servers must not start them.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    # One by one: what a release of Debian does not have keeps nothing else away.
    for arguments in (["update"], *(["install", "-y", "--no-install-recommends", program] for program in missing)):
        done = subprocess.run(
            ["apt-get", "-qq", *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"apt-get {' '.join(arguments)} failed:\n{done.stderr.strip()}", file=sys.stderr)


def _program(name: str) -> str:
    # Beside this Python, wherever PATH leads.
    return str(Path(sys.executable).parent / name)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
