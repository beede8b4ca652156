"""bin/dash for tests: typed, as a process; or called from here, without its imports, where no process is the point."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from cli.clone import ROOT
from cli.dash import main

Done = subprocess.CompletedProcess[str]


def typed(environment: Mapping[str, str], *arguments: str) -> Done:
    """What a process with this environment and nothing to read answers."""
    return subprocess.run(
        [sys.executable, "-m", "cli.dash", *arguments],
        env=dict(environment), cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def called(environment: Mapping[str, str], *arguments: str) -> Done:
    """The same from this process, whose environment and arguments are the command's until it is done."""
    out, errors = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, environment, clear=True),
        patch.object(sys, "argv", ["bin/dash", *arguments]),
        Path(os.devnull).open() as nothing,
        patch.object(sys, "stdin", nothing),
        redirect_stdout(out),
        redirect_stderr(errors),
    ):
        code = _exit_code()
    return Done(arguments, code, out.getvalue(), errors.getvalue())


def _exit_code() -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
