"""`python -m tests.clocks`: the unit tests under a few clocks, half a minute in all; with --long also those tests against
servers and in a browser that look at days, under every clock, while PostgreSQL, Redis and the browser live by it, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.clocks import TRAVEL_TO

ROOT = Path(__file__).parents[2]
AHEAD = Path(__file__).with_name("ahead.c")
# Of the unit tests those that take long and call no clock, or wait for the monotonic one: two thirds of the time.
CLOCKLESS = (
    "kpi/test_laws", "kpi/test_money", "test_architecture_page", "test_demo_books", "test_ingest_documents", "test_locks",
    "test_security_page", "test_views", "web/test_compression", "web/test_documents", "web/test_feed", "web/test_keyset",
    "web/test_messages", "web/test_replica",
)  # fmt: skip
UNIT = ("tests/unit", *(f"--ignore=tests/unit/{name}.py" for name in CLOCKLESS))
# Of the integration tests those whose outcome no day can change are left out.
DAYLESS = (
    "bad_input", "deploy", "drain", "embedded", "live_redis", "protocol", "proxies", "python_client", "rest_redis_away",
    "sockets", "streams", "supervise",
)  # fmt: skip
LONG = (
    *UNIT,
    "tests/integration",
    *(f"--ignore=tests/integration/test_{name}.py" for name in DAYLESS),
    "tests/browser/test_look.py",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A moment in UTC, and the zone and language of the machine; `short`: part of the short form."""

    at: str
    zone: str
    language: str = "C.UTF-8"
    short: bool = False

    def __str__(self) -> str:
        return f"{datetime.fromisoformat(self.at):%A} {self.at} UTC, TZ={self.zone}, LANG={self.language}"

    @property
    def environment(self) -> dict[str, str]:
        """The machine that it describes."""
        return {"TZ": self.zone, "LANG": self.language}


# Every weekday, month ends and the year's, 29 February, and seconds before the clocks change where the machine is.
CLOCKS = (
    Clock(at="2028-02-28T12:00:00", zone="America/New_York"),
    Clock(at="2028-02-29T12:00:00", zone="Asia/Tokyo", language="de_DE.UTF-8", short=True),
    Clock(at="2028-03-01T12:00:00", zone="Europe/Berlin", language="de_DE.UTF-8"),
    Clock(at="2027-09-30T23:30:00", zone="Asia/Tokyo"),
    Clock(at="2027-12-31T23:59:50", zone="America/New_York", short=True),
    Clock(at="2028-01-01T00:00:10", zone="Pacific/Tongatapu"),
    Clock(at="2027-03-14T06:59:50", zone="America/New_York", short=True),
    Clock(at="2027-11-07T05:59:50", zone="America/New_York"),
    Clock(at="2027-03-28T00:59:50", zone="Europe/Berlin", language="de_DE.UTF-8"),
    Clock(at="2027-10-31T00:59:50", zone="Europe/Berlin", language="de_DE.UTF-8", short=True),
)


def main(arguments: list[str]) -> int:
    """Run the short form, or the long one; the exit code."""
    runs = long() if arguments == ["--long"] else short()
    failed = [clock for clock, done in runs if _report(clock, done)]
    return 1 if failed else 0


def short() -> Iterator[tuple[Clock, subprocess.CompletedProcess[str]]]:
    """Two at once: each has one process."""
    clocks = [clock for clock in CLOCKS if clock.short]
    with ThreadPoolExecutor(2) as pool:
        yield from zip(clocks, pool.map(travelled, clocks), strict=True)


def travelled(clock: Clock) -> subprocess.CompletedProcess[str]:
    """The unit tests in a process that lives by the clock."""
    return _pytest(["-p", "tests.clocks.travel", *UNIT], clock.environment | {TRAVEL_TO: clock.at})


def long() -> Iterator[tuple[Clock, subprocess.CompletedProcess[str]]]:
    """One after the other, with everything that the tests start."""
    with tempfile.TemporaryDirectory(prefix="daybook-clocks-") as directory:
        Path(directory).chmod(0o755)  # PostgreSQL does not run as root
        library = Path(directory) / "ahead.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, AHEAD, "-ldl"], check=True)
        for clock in CLOCKS:
            at = datetime.fromisoformat(clock.at).replace(tzinfo=UTC)
            ahead_s = int((at - datetime.now(UTC)).total_seconds())
            preloaded = {"LD_PRELOAD": str(library), "CLOCK_AHEAD_S": str(ahead_s)}
            yield clock, _pytest(["-n", "2", *LONG], clock.environment | preloaded)


def _pytest(arguments: Iterable[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip


def _report(clock: Clock, done: subprocess.CompletedProcess[str]) -> int:
    lines = done.stdout.splitlines()
    sys.stdout.write(f"{clock}: {lines[-1] if lines else 'no output'}\n")
    if done.returncode:
        sys.stdout.write(f"{done.stdout}\n")
    sys.stdout.flush()
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
