"""Keeps processes running: one that dies is started again, with backoff; all are stopped in order, nothing is left."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli.local import leftovers, processes
from cli.local.output import Output, OutputGone

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 10.0
# A process that ran for so long has recovered: after its next death the backoff starts anew.
RECOVERED_AFTER_S = 30.0
LOOP_S = 0.1


class StartFailed(Exception):
    """The product did not become ready; the message says which process failed."""


@dataclass(kw_only=True)
class Service:
    """One supervised process. `stage`: services stop stage by stage, the lowest first, all of one stage together."""

    name: str
    launch: Callable[[], subprocess.Popen[bytes]]
    stage: int
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 10.0
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    _started_at: float = 0.0
    _backoff_s: float = FIRST_BACKOFF_S
    _start_again_at: float | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Launch the process."""
        self.process = self.launch()
        self._started_at = time.monotonic()
        self._start_again_at = None

    def died(self) -> float | None:
        """Seconds until it is started again, once for each death; None while it lives or waits."""
        if self.process is None or self.running or self._start_again_at is not None:
            return None
        self.deaths += 1
        if time.monotonic() - self._started_at >= RECOVERED_AFTER_S:
            self._backoff_s = FIRST_BACKOFF_S
        wait_s, self._backoff_s = self._backoff_s, min(self._backoff_s * 2, LONGEST_BACKOFF_S)
        self._start_again_at = time.monotonic() + wait_s
        return wait_s

    @property
    def is_due(self) -> bool:
        """Whether it is time to start it again."""
        return self._start_again_at is not None and time.monotonic() >= self._start_again_at


class Supervisor:
    """Runs services until it is told to stop. `pids`: where running processes are on record, see cli/local/leftovers.py."""

    def __init__(self, services: Sequence[Service], output: Output, pids: Path) -> None:
        self._services = services
        self._output = output
        self._pids = pids
        self._stops = 0

    def run(self, meanwhile: Iterator[None]) -> None:
        """Start what does not run yet, keep all running, advance `meanwhile` in between; returns when told to stop.

        Stops everything on the way out, also when `meanwhile` or the output fails.
        """
        before = {
            how: signal.signal(how, self._stop_requested) for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            for service in self._services:
                if service.process is None:
                    self._start(service)
                else:
                    leftovers.record(self._pids, service.name, service.process.pid)
            while not self._stops:
                self._output.pump(LOOP_S)
                self._revive()
                next(meanwhile, None)
        except OutputGone:
            pass
        finally:
            self.stop()
            for how, handler in before.items():
                signal.signal(how, handler)

    def stop(self) -> None:
        """Stop every service, stage by stage. Told to stop a second time, it kills what is left at once."""
        for stage in sorted({service.stage for service in self._services}):
            self._stop_together([service for service in self._services if service.stage == stage])
        with contextlib.suppress(OutputGone):
            self._output.drain()

    def _stop_requested(self, _signal: int, _frame: object) -> None:
        self._stops += 1

    def _start(self, service: Service) -> None:
        service.start()
        if service.process is not None:
            leftovers.record(self._pids, service.name, service.process.pid)
            if service.process.stdout is not None:
                self._output.follow(service.name, service.process.stdout)

    def _revive(self) -> None:
        for service in self._services:
            wait_s = service.died()
            if wait_s is not None and service.process is not None:
                # Its children may outlive it, and would do its work beside the new one.
                processes.end(service.process)
                self._output.say(
                    f"{service.name} ended ({_exit_words(service.process.returncode)}); starting it again in {wait_s:g} s"
                )
            elif service.is_due:
                self._start(service)

    def _stop_together(self, services: Sequence[Service]) -> None:
        for service in services:
            if service.running and service.process is not None:
                service.process.send_signal(service.stop_signal)
        deadline = time.monotonic() + max((service.grace_s for service in services), default=0)
        while any(s.running for s in services) and time.monotonic() < deadline and self._stops < 2:
            self._pump()
        for service in services:
            if service.process is not None:
                processes.end(service.process)
            leftovers.forget(self._pids, service.name)
        self._pump()

    def _pump(self) -> None:
        try:
            self._output.pump(LOOP_S / 2)
        except OutputGone:
            time.sleep(LOOP_S / 2)


def _exit_words(returncode: int) -> str:
    return f"signal {signal.Signals(-returncode).name}" if returncode < 0 else f"exit code {returncode}"
