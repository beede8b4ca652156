"""Node.js for what bin/test does with it, and the locked npm packages of a folder.

Node.js and npm come from PATH, or, where it has none, from a package of PyPI in an environment of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import venv
from pathlib import Path

from cli.clone import LOCAL, ROOT

REQUIREMENTS = ROOT / "tests" / "typescript" / "requirements.txt"


class Unreachable(Exception):
    """npm could not install what a folder's lock names; its registry is asked again next time."""


def installed(project: Path) -> dict[str, str]:
    """The environment for node and npm, once `project` has the packages of its lock. Raises Unreachable."""
    environment = {**os.environ, "npm_config_cache": str(LOCAL / "npm"), "npm_config_update_notifier": "false"}
    environment["PATH"] = f"{_programs()}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    lock = hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()
    stamp = project / "node_modules" / "daybook.stamp"
    if not stamp.exists() or stamp.read_text() != lock:
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        if subprocess.run(npm, cwd=project, env=environment, check=False).returncode:
            raise Unreachable(f"npm could not install what {project} needs. Is its registry reachable from here?")
        stamp.write_text(lock)
    return environment


def _programs() -> Path:
    """The directory with node and npm."""
    node = shutil.which("node")
    if node and shutil.which("npm"):
        return Path(node).parent
    directory = LOCAL / "node"
    programs = directory / "bin"
    if not (programs / "npm").exists():
        venv.create(directory, with_pip=True, clear=True)
        subprocess.run(
            [programs / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input",
             "--require-hashes", "-r", REQUIREMENTS],
            check=True,
        )  # fmt: skip
    return programs
