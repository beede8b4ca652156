"""`bin/test`: formatting, lint, types and import rules, then every test; with arguments only pytest, which gets them.

`--clocks` runs only what looks at days, on many of them (tests/clocks). `--checks` leaves the tests out; `--long` makes the
fault tests thorough; `--coverage` measures which lines the tests reach, in every process that they start.
pytest comes last, so that its summary is the last line; the exit code is 0 only if everything passed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cli.clone import ROOT
from shared.undisturbed import forget_foreign

CHECKS: tuple[tuple[str, ...], ...] = (
    ("format", "ruff", "format", "--check", "."),
    ("lint", "ruff", "check", "."),
    ("types", "mypy"),
    ("imports", "lint-imports", "--no-cache", "--no-logo"),
    ("types of the page", "python", "-m", "cli.local.typescript"),
    ("clocks", "python", "-m", "tests.clocks"),
)
# More than two cores could compute: many tests wait.
PYTEST = ("pytest", "-n", "3")
# Debian's name of a program that some tests start, the one that will do where there is none of that name, and where
# they may be. The browser without windows needs half the processor time of the whole one.
PROGRAMS = ("chromium-headless-shell", "nginx", "caddy", "redis-server", "pgbouncer")
INSTEAD = {"chromium-headless-shell": "chromium"}
SBIN = "/usr/sbin:/sbin"


def main(arguments: list[str]) -> int:
    """Run the checks and the tests; the exit code."""
    forget_foreign()
    parser = argparse.ArgumentParser(prog="bin/test", add_help=False, allow_abbrev=False)
    parser.add_argument("--checks", action="store_true")
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--clocks", action="store_true")
    chosen, for_pytest = parser.parse_known_args(arguments)
    if chosen.clocks:
        return subprocess.run([sys.executable, "-m", "tests.clocks", "--long"], cwd=ROOT, check=False).returncode
    failed = [] if for_pytest or chosen.coverage else run_checks()
    if failed:
        print(f"── failed: {', '.join(failed)}", flush=True)
    if chosen.checks:
        return 1 if failed else 0
    install_programs()
    if chosen.long:
        os.environ["DAYBOOK_LONG"] = "1"
    print("── tests", flush=True)
    if chosen.coverage:
        return measured(for_pytest)
    pytest = subprocess.run([sys.executable, "-m", *PYTEST, *for_pytest], cwd=ROOT, check=False)
    return pytest.returncode or (1 if failed else 0)


def run_checks() -> list[str]:
    """Run every check, two at once, and print what each said; the names of those that failed."""
    failed = []
    with ThreadPoolExecutor(2) as pool:
        for (name, *command), done in zip(CHECKS, pool.map(_checked, CHECKS), strict=True):
            print(f"── {name}: {' '.join(command)}\n{done.stdout}", end="", flush=True)
            if done.returncode:
                failed.append(name)
    return failed


def _checked(check: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    _, program, *arguments = check
    return subprocess.run(
        [_program(program), *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip


def measured(for_pytest: list[str]) -> int:
    """Run pytest under coverage and print what was reached; the exit code of pytest."""
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "erase"], cwd=ROOT, check=True)
    pytest = subprocess.run([*coverage, "run", "-m", *PYTEST, *for_pytest], cwd=ROOT, check=False)
    subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, check=True)
    subprocess.run([*coverage, "report"], cwd=ROOT, check=True)
    return pytest.returncode


def install_programs() -> None:
    """Install what is missing of Debian's programs that tests start, if we may; else those tests say what is missing."""
    missing = [program for program in PROGRAMS if not _found(program)]
    if not missing or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print(f"── installing {', '.join(missing)} for the tests", flush=True)
    _apt_get("update")
    # One by one: what a release of Debian does not have keeps nothing else away.
    for program in missing:
        _install(program)
        instead = INSTEAD.get(program)
        if instead and not _found(program) and not _found(instead):
            _install(instead)


def _found(program: str) -> bool:
    path = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{SBIN}"
    return shutil.which(program, path=path) is not None


def _install(program: str) -> None:
    _apt_get("install", "-y", "--no-install-recommends", program)


def _apt_get(*arguments: str) -> None:
    # RUNLEVEL=1: packages of servers must not start them.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(["apt-get", "-qq", *arguments], env=environment, capture_output=True, text=True, check=False)
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
