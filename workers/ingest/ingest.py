"""Lines of JSON into the tables of the contract: every good line is written, every bad one refused by its number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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

_EVER = datetime.max.replace(tzinfo=UTC)
# No row's fault: rights that only show when they are used, a standby, a schema that is behind.
_CLOSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.UndefinedColumn,
)
# What the database finds wrong with a row that passed the contract: the host's own constraints and triggers.
_ROW_IS_BAD = (psycopg.errors.DataError, psycopg.errors.IntegrityError, psycopg.errors.RaiseException)


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
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    while some := dict(islice(numbered, batch)):
        one = _Batch(connection, closed)
        with connection.transaction():
            written, deleted = one.write(some)
        result.lines += len(some)
        result.written += written
        result.deleted += deleted
        result.refused += len(one.refused)
        for line, reason in sorted(one.refused.items()):
            refused(Refusal(line, reason, some[line][:LONGEST_LINE].decode(errors="replace").strip()))
        advance()
    return result


@dataclass(frozen=True, slots=True)
class _Batch:
    """Lines that are written in one transaction, and the reasons of those that are not."""

    connection: psycopg.Connection[Any]
    closed: Mapping[str, str]
    refused: dict[int, str] = field(default_factory=dict)

    def write(self, some: Mapping[int, bytes]) -> tuple[int, int]:
        """How many rows were written and how many deleted."""
        newest = self._newest(some)
        # In the order of keys, so that two that ingest the same rows wait for each other and never in a circle.
        in_order = [newest[key] for key in sorted(newest)]
        counts = {True: 0, False: 0}
        for table, delete in product(TABLES, counts):
            changes = [one for one in in_order if one.table == table and (one.values is None) == delete]
            counts[delete] += self._write_good(table, changes, delete=delete)
        return counts[False], counts[True]

    def _newest(self, some: Mapping[int, bytes]) -> dict[tuple[str, tuple[Any, ...]], Change]:
        """What is asked for last of each row."""
        newest: dict[tuple[str, tuple[Any, ...]], Change] = {}
        for line, data in some.items():
            try:
                asked = change(line, data)
            except BadDocument as error:
                self.refused[line] = str(error)
                continue
            if reason := self.closed.get(asked.table):
                self.refused[line] = reason
                continue
            held = newest.get((asked.table, asked.key))
            if held is None or (held.updated_at or _EVER) <= (asked.updated_at or _EVER):
                newest[asked.table, asked.key] = asked
        return newest

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
