"""The supervisor with real processes: who dies is started again, who forks leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from cli.clone import ROOT
from tests.patience import PATIENCE
from tests.servers import eventually

# A stand-in for bin/run: supervises what its arguments name (stage:name:command), until it is told to stop.
SUPERVISE = """
import signal, subprocess, sys
from itertools import repeat
from pathlib import Path
from cli.local import leftovers, processes
from cli.local.output import Output
from cli.local.supervise import Service, Supervisor

pids, grace_s = Path(sys.argv[1]), float(sys.argv[2])
specs = [argument.split(":", 2) for argument in sys.argv[3:]]

def launcher(command):
    return lambda: processes.spawn(["/bin/sh", "-c", command], stop_signal=signal.SIGTERM,
                                   stdout=subprocess.PIPE, cwd=Path.cwd())

services = [Service(name=name, stage=int(stage), launch=launcher(command), grace_s=grace_s) for stage, name, command in specs]
with leftovers.watchdog(pids):
    Supervisor(services, Output([name for _, name, _ in specs]), pids).run(repeat(None))
print("stopped", flush=True)
"""
# Two children, one of which leaves nobody who would stop it.
FORKS = "sleep 1000 & (trap '' TERM; sleep 1000) & echo forked; exec sleep 1000"
STUBBORN = """exec python3 -c 'import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(1000)'"""
TELLS = """exec python3 -c 'import signal, sys, time
def told(*_):
    print("told", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
print("up", flush=True)
time.sleep(1000)'"""


@dataclass
class Running:
    """A supervisor of its own process, what it printed so far, and every process it ever had below it."""

    process: subprocess.Popen[bytes]
    printed: Path
    pids: Path
    seen: set[psutil.Process]

    @property
    def text(self) -> str:
        return self.printed.read_text()

    def pid(self, name: str) -> int:
        return int((self.pids / name).read_text().split()[1])

    def look(self) -> set[psutil.Process]:
        """Its descendants now; remembered, since the orphans of a killed process are nobody's descendants."""
        now = set(psutil.Process(self.process.pid).children(recursive=True))
        self.seen |= now
        return now

    def left(self) -> list[psutil.Process]:
        return [one for one in self.seen if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*specs: str, grace_s: float = 1.0) -> Running:
        printed = tmp_path / "printed"
        with printed.open("wb") as target:
            process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISE, str(tmp_path / "pids"), str(grace_s), *specs],
                stdout=target, stderr=subprocess.STDOUT, cwd=ROOT,
            )  # fmt: skip
        started.append(Running(process, printed, tmp_path / "pids", set()))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.look()
            running.process.kill()
            running.process.wait()
        for process in running.left():
            process.kill()


def test_output_lines_carry_the_name_of_their_process(supervise: Callable[..., Running]) -> None:
    running = supervise("0:web:printf 'one\\ntwo'; exec sleep 1000", "1:worker:echo three; exec sleep 1000")
    eventually(lambda: "three" in running.text)
    running.process.terminate()
    assert running.process.wait(10 * PATIENCE) == 0
    # "two" never ended its line: it comes out when the process is gone.
    assert {"web    │ one", "web    │ two", "worker │ three"} <= set(running.text.splitlines())
    assert "\x1b" not in running.text


def test_a_process_that_dies_is_started_again_and_its_children_are_not_left(supervise: Callable[..., Running]) -> None:
    running = supervise(f"0:web:{FORKS}")
    eventually(lambda: "forked" in running.text)
    eventually(lambda: len(running.look()) >= 4)
    before = running.pid("web")
    orphans = [one for one in running.look() if one.pid != before and os.getpgid(one.pid) == before]
    assert len(orphans) >= 2
    os.kill(before, signal.SIGKILL)
    eventually(lambda: running.text.count("forked") == 2)
    assert running.pid("web") != before
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in orphans)
    assert "web ended (signal SIGKILL); starting it again in 0.5 s" in running.text


def test_a_process_that_keeps_dying_is_started_ever_more_slowly(supervise: Callable[..., Running]) -> None:
    running = supervise("0:web:exit 3")
    eventually(lambda: "in 2 s" in running.text)
    told = [line for line in running.text.splitlines() if "ended" in line]
    assert told == [f"web ended (exit code 3); starting it again in {wait} s" for wait in ("0.5", "1", "2")]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_stop_it_leaves_nothing_behind(supervise: Callable[..., Running], how: signal.Signals) -> None:
    running = supervise(f"0:web:{FORKS}", f"1:worker:{STUBBORN}")
    eventually(lambda: "forked" in running.text and "deaf" in running.text)
    running.look()
    running.process.send_signal(how)
    assert running.process.wait(15 * PATIENCE) == 0
    assert running.left() == []
    assert list(running.pids.iterdir()) == []
    assert running.text.splitlines()[-1] == "stopped"


def test_processes_stop_in_the_order_of_their_stages(supervise: Callable[..., Running]) -> None:
    running = supervise(f"2:last:{TELLS}", f"0:first:{TELLS}", f"1:middle:{TELLS}")
    eventually(lambda: running.text.count("up") == 3)
    running.process.terminate()
    assert running.process.wait(10 * PATIENCE) == 0
    told = [line.split()[0] for line in running.text.splitlines() if line.endswith("told")]
    assert told == ["first", "middle", "last"]


def test_told_twice_it_does_not_wait_for_the_stubborn(supervise: Callable[..., Running]) -> None:
    running = supervise(f"0:web:{TELLS}", f"1:worker:{STUBBORN}", grace_s=60)
    eventually(lambda: "up" in running.text and "deaf" in running.text)
    running.process.send_signal(signal.SIGINT)
    eventually(lambda: "told" in running.text)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(15 * PATIENCE) == 0


def test_killed_itself_it_leaves_nothing_behind(supervise: Callable[..., Running]) -> None:
    running = supervise(f"0:web:{FORKS}", f"1:worker:{STUBBORN}", f"2:frozen:{TELLS}")
    eventually(lambda: all(word in running.text for word in ("forked", "deaf", "up")))
    running.look()
    os.kill(running.pid("frozen"), signal.SIGSTOP)
    running.process.kill()
    running.process.wait()
    eventually(lambda: running.left() == [], within_s=20)


def test_it_stops_when_nobody_reads_its_output_any_more(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(tmp_path / "pids"), "1", "0:web:while echo again; do sleep 0.05; done"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(10 * PATIENCE)
    assert list((tmp_path / "pids").iterdir()) == []
