"""The stacks of the fault tests; every test finds its stack well and may hurt it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.watch import Watch
from tests.stack import Stack

# Where to write what was measured, one JSON object a line; docs/faults.md is made from it.
REPORT = "DAYBOOK_FAULTS_REPORT"
LONG = os.environ.get("DAYBOOK_LONG") == "1"

Measured = Callable[[int, float], None]


@pytest.fixture(scope="package")
def common_stack() -> Iterator[Stack]:
    """As in production; modules share it, and it ends with the last test of this folder."""
    with Stack() as stack:
        yield stack


@pytest.fixture(scope="module")
def module_stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The common stack, or the module's own as its STACK makes it."""
    own = getattr(request.module, "STACK", None)
    if own is None:
        yield request.getfixturevalue("common_stack")
        return
    with own() as stack:
        yield stack


@pytest.fixture
def stack(module_stack: Stack) -> Stack:
    """The module's stack, whole again after the test before."""
    module_stack.heal()
    module_stack.deaths.clear()
    return module_stack


@pytest.fixture
def watch(stack: Stack) -> Iterator[Watch]:
    """Two tenants with a socket, a stream and a REST client each."""
    with Watch(stack) as watching:
        yield watching


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Note how long a row of the fault table took to recover, in seconds."""

    def note(row: int, seconds: float) -> None:
        if path := os.environ.get(REPORT):
            with Path(path).open("a") as report:
                report.write(json.dumps({"row": row, "seconds": round(seconds, 2), "test": request.node.name}) + "\n")

    return note
