"""`bin/test`: TypeScript's compiler over the page's JavaScript and the types of its client, see tests/typescript.

Node.js and npm come from PATH, or, where it has none, from a package of PyPI in an environment of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from cli.clone import LOCAL, ROOT

PROJECT = ROOT / "tests" / "typescript"
MODULES = PROJECT / "node_modules"


def main() -> int:
    """Install the compiler if that is still to do, and run it; the exit code."""
    environment = {**os.environ, "npm_config_cache": str(LOCAL / "npm"), "npm_config_update_notifier": "false"}
    environment["PATH"] = f"{_programs()}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    lock = hashlib.sha256((PROJECT / "package-lock.json").read_bytes()).hexdigest()
    stamp = MODULES / "daybook.stamp"
    if not stamp.exists() or stamp.read_text() != lock:
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        if subprocess.run(npm, cwd=PROJECT, env=environment, check=False).returncode:
            print("npm could not install the compiler. Is its registry reachable from here?", file=sys.stderr)
            return 1
        stamp.write_text(lock)
    compiler = ["node", str(MODULES / "typescript" / "bin" / "tsc"), "-p", str(PROJECT)]
    return subprocess.run(compiler, cwd=ROOT, env=environment, check=False).returncode


def _programs() -> Path:
    """The directory with node and npm."""
    node = shutil.which("node")
    if node and shutil.which("npm"):
        return Path(node).parent
    directory = LOCAL / "node"
    programs = directory / "bin"
    if not (programs / "npm").exists():
        venv.create(directory, with_pip=True, clear=True)
        requirements = PROJECT / "requirements.txt"
        subprocess.run(
            [programs / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input",
             "--require-hashes", "-r", requirements],
            check=True,
        )  # fmt: skip
    return programs


if __name__ == "__main__":
    sys.exit(main())
