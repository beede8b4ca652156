"""Which test runs in which process of pytest-xdist, and which ones begin."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# They run the whole product and measure it: two stacks at once would measure each other.
ONE_PROCESS = ("tests/faults/", "tests/e2e/test_two_of_everything.py")
# Roles are the whole server's, and one of its tests lets a role bypass row level security for a moment.
TOGETHER = ("tests/integration/test_sessions.py", "tests/integration/test_roles.py")
# They share one stack and one browser a process, and are many: spread, each test for itself.
SPREAD = ("tests/browser/", "tests/unit/")
# They start stacks of their own: before the others of their folder, whose common stack would run idle beside theirs.
OWN_STACKS = tuple(
    f"tests/faults/test_{name}.py" for name in ("beats", "clock", "disks", "moved", "redelivery", "sentinel")
)
# What takes longest begins, in this order: else one process would still run it when the others have nothing left to do.
FIRST = (
    *OWN_STACKS,
    *ONE_PROCESS,
    "tests/e2e/test_run.py",
    "tests/e2e/test_bootstrap.py",
    "tests/browser/",
    *(f"tests/integration/test_{name}.py" for name in ("notifications", "batch_equals_recount", "unsettled")),
    *(f"tests/integration/test_{name}.py" for name in ("receipts_add_up", "source_cost", "number_laws", "sockets")),
    "tests/integration/documents/test_answers.py",
)


def place(nodeid: str) -> int:
    """Where a test's module stands in the order: one of FIRST before all others."""
    return next((place for place, begin in enumerate(FIRST) if nodeid.startswith(begin)), len(FIRST))


class Scheduling(LoadScopeScheduling):
    """A module at a time, in the order of the collection: what a module starts is started once, not once in each process.

    (`--dist loadgroup` of pytest-xdist 3.8 finds no groups under pytest 9.2: it changes an attribute that the node's id is
    not made of any more.)
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # it would begin with the modules of most tests

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(ONE_PROCESS):
            return "one process"
        if nodeid.startswith(TOGETHER):
            return "roles of the server"
        return nodeid if nodeid.startswith(SPREAD) else nodeid.partition("::")[0]
