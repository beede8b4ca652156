"""`bin/test`: TypeScript's compiler over the page's JavaScript and the types of its client, see tests/typescript."""

from __future__ import annotations

import subprocess
import sys

from cli.clone import ROOT
from cli.local.node import Unreachable, installed

PROJECT = ROOT / "tests" / "typescript"


def main() -> int:
    """Install the compiler if that is still to do, and run it; the exit code."""
    try:
        environment = installed(PROJECT)
    except Unreachable as failed:
        print(failed, file=sys.stderr)
        return 1
    compiler = ["node", str(PROJECT / "node_modules" / "typescript" / "bin" / "tsc"), "-p", str(PROJECT)]
    return subprocess.run(compiler, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
