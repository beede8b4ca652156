"""`bin/dash ingest`: documents of the contract from a file of JSON lines into the database."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import click

from cli.database import command_engine
from cli.known import known_environment, load_settings
from cli.progress import progress
from workers.ingest import Ingested, Refusal, ingest

MOST_REFUSALS_SHOWN = 20


class _Refusals:
    """The first refusals go to stderr, all of them to a file if there is one."""

    def __init__(self, file: IO[str] | None) -> None:
        self._file = file
        self._shown = 0

    def __call__(self, refusal: Refusal) -> None:
        if self._file:
            document = {"line": refusal.line, "reason": refusal.reason, "text": refusal.text}
            print(json.dumps(document, ensure_ascii=False), file=self._file)
        self._shown += 1
        if self._shown <= MOST_REFUSALS_SHOWN:
            print(f"line {refusal.line:,}: {refusal.reason}", file=sys.stderr)

    def tell_rest(self) -> None:
        """How many more there were than were shown."""
        if self._shown > MOST_REFUSALS_SHOWN:
            print(f"and {self._shown - MOST_REFUSALS_SHOWN:,} lines more", file=sys.stderr)


@click.command(name="ingest")
@click.argument("file", type=click.File("rb"), metavar="FILE.ndjson")
@click.option(
    "--refused",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write refused lines here, each as {line, reason, text}.",
)
@click.option("--database", metavar="URL", help="Instead of DATABASE_URL: whose role may write the tables.")
def ingest_file(file: IO[bytes], refused: Path | None, database: str | None) -> None:
    """Write documents of the contract, one JSON object a line: {"table": "invoice", ...columns...}, or to delete one
    {"table", "delete": true, ...keys...}. FILE - is stdin.

    May be repeated: an older document (by updated_at) never replaces a newer one. Bad lines are refused by number, all
    good ones are written. Exit code 1 if any was refused.
    """
    url = database or load_settings(known_environment()).database_url
    began = time.monotonic()
    with ExitStack() as stack:
        refusals = _Refusals(stack.enter_context(refused.open("w", encoding="utf-8")) if refused else None)
        advance = stack.enter_context(_read_so_far(file))
        result = ingest(command_engine(url), file, refused=refusals, advance=advance)
        refusals.tell_rest()
    print(_told(result, time.monotonic() - began))
    sys.exit(1 if result.refused else 0)


@contextmanager
def _read_so_far(file: IO[bytes]) -> Iterator[Callable[[], None]]:
    """Progress in bytes, where it is known how many there are."""
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        yield lambda: None
        return
    with progress() as advance:
        yield lambda: advance("bytes", file.tell(), status.st_size)


def _told(result: Ingested, seconds: float) -> str:
    return (
        f"{result.lines:,} lines in {seconds:.1f} s, {result.lines / seconds:,.0f} per second: {result.written:,} written, "
        f"{result.deleted:,} deleted, {result.unchanged:,} unchanged, {result.refused:,} refused"
    )
