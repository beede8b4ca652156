"""Which test runs in which process of pytest-xdist."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# They run the whole product and measure it: two stacks at once would measure each other.
ONE_PROCESS = ("tests/faults/", "tests/e2e/test_two_of_everything.py")
# Roles are the whole server's, and one of its tests lets a role bypass row level security for a moment.
TOGETHER = ("tests/integration/test_sessions.py", "tests/integration/test_roles.py")


class Scheduling(LoadScopeScheduling):
    """Any test in any process, but those of ONE_PROCESS in the same one, and those of TOGETHER.

    (`--dist loadgroup` of pytest-xdist 3.8 finds no groups under pytest 9.2: it changes an attribute that the node's id is
    not made of any more.)
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(ONE_PROCESS):
            return "one process"
        return "roles of the server" if nodeid.startswith(TOGETHER) else nodeid
