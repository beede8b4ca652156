"""Lines of JSON into the tables of the contract: every good line is written, every bad one refused by its number."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice, product
from typing import Any

import psycopg
from sqlalchemy import Engine

from shared.errors import DaybookError
from workers.contract import TABLES
from workers.database import autocommit
from workers.ingest.documents import LONGEST_LINE, BadDocument, Change, change
from workers.ingest.writing import unwritable, write
from workers.source.failures import translate_database_errors

BATCH = 5000
"""Lines of one transaction."""
DEADLOCKS_BORNE = 5
"""So often a batch is written anew after PostgreSQL has ended it for somebody else's sake."""

_EVER = datetime.max.replace(tzinfo=UTC)
_Row = tuple[str, tuple[Any, ...]]
# No row's fault: rights that only show when they are used, a standby, a schema that is behind.
_CLOSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.UndefinedColumn,
)
# What the database finds wrong with a row that passed the contract: the host's own constraints and triggers, and texts too
# long for an index.
_ROW_IS_BAD = (
    psycopg.errors.DataError,
    psycopg.errors.IntegrityError,
    psycopg.errors.RaiseException,
    psycopg.errors.ProgramLimitExceeded,
)


class MayNotWrite(DaybookError):
    """No table of the contract can be written with this DATABASE_URL: by these rights, or because all are views of the
    host's own tables. Write there, or use another role."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not taken, and why."""

    line: int
    reason: str
    text: str


@dataclass(slots=True, kw_only=True)
class Ingested:
    """How many lines there were, and what became of them."""

    lines: int = 0
    written: int = 0
    deleted: int = 0
    refused: int = 0

    @property
    def unchanged(self) -> int:
        """Good lines that changed nothing: the database held the same or newer, or a later line had their key."""
        return self.lines - self.written - self.deleted - self.refused


def ingest(
    engine: Engine,
    lines: Iterable[bytes],
    *,
    refused: Callable[[Refusal], None],
    advance: Callable[[], None] = lambda: None,
    batch: int = BATCH,
) -> Ingested:
    """Write the documents of `lines` (empty lines are skipped), a batch in each transaction; may be repeated without harm.

    refused: told of each line that was not taken, batch by batch in their order. Raises MayNotWrite before anything is read
    when no table can be written, and SourceUnavailable.
    """
    try:
        with translate_database_errors(), autocommit(engine) as connection:
            return _ingest(connection, lines, refused, advance, batch)
    except _CLOSED as error:
        raise MayNotWrite(str(error).splitlines()[0]) from error


def _ingest(
    connection: psycopg.Connection,
    lines: Iterable[bytes],
    refused: Callable[[Refusal], None],
    advance: Callable[[], None],
    batch: int,
) -> Ingested:
    result = Ingested()
    with connection.transaction():
        closed = unwritable(connection)
    if len(closed) == len(TABLES):
        raise MayNotWrite(closed["invoice"])
    numbered = ((number, line) for number, line in enumerate(_without_mark(lines), start=1) if line.strip())
    while some := dict(islice(numbered, batch)):
        one, (written, deleted) = _written(connection, closed, some)
        result.lines += len(some)
        result.written += written
        result.deleted += deleted
        result.refused += len(one.refused)
        for line, reason in sorted(one.refused.items()):
            refused(Refusal(line, reason, some[line][:LONGEST_LINE].decode(errors="replace").strip()))
        advance()
    return result


def _without_mark(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines without the byte order mark that some programs write before the first one."""
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix(codecs.BOM_UTF8)


def _written(
    connection: psycopg.Connection[Any], closed: Mapping[str, str], some: Mapping[int, bytes]
) -> tuple[_Batch, tuple[int, int]]:
    """The batch, written. The host writes the same rows in an order of its own, and so does another ingest that deletes what
    this one writes: whom PostgreSQL ends so that the other can go on begins anew."""
    for _ in range(DEADLOCKS_BORNE):
        with contextlib.suppress(psycopg.errors.DeadlockDetected):
            return _written_once(connection, closed, some)
    return _written_once(connection, closed, some)


def _written_once(
    connection: psycopg.Connection[Any], closed: Mapping[str, str], some: Mapping[int, bytes]
) -> tuple[_Batch, tuple[int, int]]:
    one = _Batch(connection, closed)
    with connection.transaction():
        return one, one.write(some)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Lines that are written in one transaction, and the reasons of those that are not."""

    connection: psycopg.Connection[Any]
    closed: Mapping[str, str]
    refused: dict[int, str] = field(default_factory=dict)

    def write(self, some: Mapping[int, bytes]) -> tuple[int, int]:
        """How many rows were written and how many deleted."""
        asked = self._asked(some)
        counts = {True: 0, False: 0}
        while asked:
            # In the order of keys, so that two that ingest the same rows wait for each other and never in a circle.
            newest = [asked[key][-1] for key in sorted(asked)]
            for table, delete in product(TABLES, counts):
                changes = [one for one in newest if one.table == table and (one.values is None) == delete]
                counts[delete] += self._write_good(table, changes, delete=delete)
            # Where the database refuses a line, the one before it stands.
            asked = {
                key: before
                for key, changes in asked.items()
                if changes[-1].line in self.refused and (before := changes[:-1])
            }
        return counts[False], counts[True]

    def _asked(self, some: Mapping[int, bytes]) -> dict[_Row, list[Change]]:
        """What is asked for of each row, the newest last."""
        asked: dict[_Row, list[Change]] = {}
        for line, data in some.items():
            try:
                one = change(line, data)
            except BadDocument as error:
                self.refused[line] = str(error)
                continue
            if reason := self.closed.get(one.table):
                self.refused[line] = reason
                continue
            asked.setdefault((one.table, one.key), []).append(one)
        for changes in asked.values():
            if len(changes) > 1:
                changes.sort(key=lambda one: one.updated_at or _EVER)
        return asked

    def _write_good(self, table: str, changes: Sequence[Change], *, delete: bool) -> int:
        """Write all of them; where the database refuses a row, all but those that it refuses."""
        if not changes:
            return 0
        try:
            with self.connection.transaction():
                return write(self.connection, table, changes, delete=delete)
        except _ROW_IS_BAD as error:
            if len(changes) == 1:
                self.refused[changes[0].line] = f"the database refuses it: {str(error).splitlines()[0]}"
                return 0
        half = len(changes) // 2
        return sum(self._write_good(table, part, delete=delete) for part in (changes[:half], changes[half:]))
