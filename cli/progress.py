"""Progress for people: a bar on a terminal, plain lines in a pipe or a log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

# A plain log gets a line at most at each tenth of the way.
PLAIN_STEPS = 10


@contextmanager
def progress(console: Console | None = None) -> Iterator[Callable[[str, int, int], None]]:
    """A function `advance(step, done, total)`: one bar, labelled with the step it is at."""
    console = console or Console(file=sys.stderr)
    if not console.is_terminal:
        yield _plain(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None)
        yield lambda step, done, total: bar.update(task, description=step, completed=done, total=total)


def _plain(console: Console) -> Callable[[str, int, int], None]:
    said = -1

    def advance(step: str, done: int, total: int) -> None:
        nonlocal said
        tenth = done * PLAIN_STEPS // total if total else PLAIN_STEPS
        if tenth != said:
            said = tenth
            console.print(f"{step}: {done} of {total}", highlight=False, soft_wrap=True)

    return advance
