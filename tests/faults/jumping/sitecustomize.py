"""Imported by every Python process that has this folder on its PYTHONPATH: its wall clock goes by what a file says.

The file named by CLOCK_FILE holds the seconds by which the clock is wrong; it may change at any moment. The monotonic
clock goes on as ever. A forked child looks for itself: threads do not survive a fork.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import time_machine

LOOK_EVERY_S = 0.05

_file = Path(os.environ["CLOCK_FILE"])
_sleep = time.sleep  # the real one, before gevent puts its own in its place
_traveller = time_machine.travel(time.time(), tick=True).start()
_offset_s = 0.0


def _look() -> None:
    global _offset_s
    while True:
        wanted = float(_file.read_text())
        if wanted != _offset_s:
            _traveller.shift(wanted - _offset_s)
            _offset_s = wanted
        _sleep(LOOK_EVERY_S)


def _start() -> None:
    threading.Thread(target=_look, daemon=True, name="clock").start()


_start()
os.register_at_fork(after_in_child=_start)
