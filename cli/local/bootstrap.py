"""Makes the clone's own virtual environment, installs the locked requirements, then becomes the command asked for.

Runs under whatever Python the machine has, so it uses the standard library alone and imports nothing of Daybook.
DAYBOOK_VENV names a ready-made environment to use instead; nothing is installed then.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
MODULES = {"run": "cli.local.run", "test": "cli.local.checks", "dash": "cli.dash"}
# What another project's shell says of its own Python; this one is ours.
PYTHON_OF_OTHERS = (
    "PYTHONHOME",
    "PYTHONOPTIMIZE",
    "PYTHONWARNINGS",
    "PYTHONINSPECT",
    "PYTHONSTARTUP",
    "PYTHONSAFEPATH",
    # Each process would compile all that it imports again.
    "PYTHONDONTWRITEBYTECODE",
)
RUNTIME, TEST = "requirements-local.txt", "requirements-test.txt"


class BootstrapFailed(Exception):
    """The environment cannot be made; the message says what to do about it."""


def main(arguments: list[str]) -> NoReturn:
    """Prepare the environment for the command named first and replace this process by it."""
    command, *rest = arguments
    avoid_caches_without_home()
    try:
        given = os.environ.get("DAYBOOK_VENV")
        python = Path(given).absolute() / "bin" / "python" if given else prepare(command)
        os.environ["PATH"] = f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        # gunicorn and celery read our modules before they look into the working directory.
        os.environ["PYTHONPATH"] = str(ROOT)
        for name in PYTHON_OF_OTHERS:
            os.environ.pop(name, None)
        os.chdir(ROOT)
        os.execv(python, [str(python), "-m", MODULES[command], *rest])  # noqa: S606
    except BootstrapFailed as error:
        sys.exit(f"bin/{command}: {error}")
    except OSError as error:
        sys.exit(f"bin/{command}: {error.strerror}: {error.filename}")
    except KeyboardInterrupt:
        sys.exit(130)


def avoid_caches_without_home() -> None:
    """Without a home, pip and others would keep their caches in / or in a directory named ~."""
    if not os.environ.get("HOME"):
        os.environ.pop("HOME", None)  # then the account's own is taken
    try:
        at_home = Path.home().is_dir()
    except RuntimeError:  # an account that the system does not know
        at_home = False
    if not at_home:
        os.environ["PIP_NO_CACHE_DIR"] = "1"


def prepare(command: str) -> Path:
    """Python of the clone's environment, with what the command needs installed; quick when nothing is to be done."""
    venv, wanted = ROOT / ".venv", stamp_lines(with_tests=command == "test")
    python = venv / "bin" / "python"
    if not is_ready(venv, wanted):
        state = ROOT / ".local"
        state.mkdir(exist_ok=True)
        with (state / "bootstrap.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_ready(venv, wanted):
                install(venv, wanted, TEST if command == "test" else RUNTIME)
    return python


def stamp_lines(*, with_tests: bool) -> list[str]:
    """What the environment must have been made from: this very path (scripts name it) and these requirements."""
    files = (RUNTIME, TEST) if with_tests else (RUNTIME,)
    return [str(ROOT), *(hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in files)]


def is_ready(venv: Path, wanted: list[str]) -> bool:
    """Whether the environment was finished for (at least) what is wanted. An upgraded Python leaves a dead link."""
    return (venv / "bin" / "python").exists() and stamped(venv)[: len(wanted)] == wanted


def stamped(venv: Path) -> list[str]:
    """The stamp of the last finished installation, empty when there is none."""
    stamp = venv / "daybook.stamp"
    return stamp.read_text().splitlines() if stamp.exists() else []


def install(venv: Path, wanted: list[str], requirements: str) -> None:
    """Make the environment unless it is this path's own, install the requirements, and stamp it last."""
    began = time.monotonic()
    if stamped(venv)[:1] != wanted[:1] or not (venv / "bin" / "python").exists():
        say("Making .venv …")
        shutil.rmtree(venv, ignore_errors=True)
        made = subprocess.run([sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True, check=False)
        if made.returncode:
            raise BootstrapFailed(
                f"python3 -m venv failed (on Debian and Ubuntu: apt-get install python3-venv):\n{made.stdout}{made.stderr}"
            )
    (venv / "daybook.stamp").write_text(wanted[0] + "\n")
    say(f"Installing {requirements} …")
    pip_install(venv / "bin" / "python", ROOT / requirements)
    (venv / "daybook.stamp").write_text("\n".join(wanted) + "\n")
    say(f"Installed in {time.monotonic() - began:.0f} s.")


def pip_install(python: Path, requirements: Path) -> None:
    """Run pip, showing on a terminal which package it is at; raise with the end of its output when it fails."""
    pip = subprocess.Popen(
        [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
         "--require-hashes", "-r", str(requirements)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    output = []
    for line in pip.stdout or ():
        output.append(line)
        if sys.stderr.isatty() and line.startswith(("Collecting ", "Installing ", "Downloading ")):
            print(f"\r\x1b[K  {' '.join(line.split()[:2])}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    if pip.wait():
        errors = [line for line in output if line.startswith("ERROR")] or output[-15:]
        raise BootstrapFailed(
            f"pip could not install {requirements.name}. Is the package index reachable from here?\n{''.join(errors)}"
        )


def say(words: str) -> None:
    """Progress goes to stderr: what the command prints stays clean."""
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
