"""Why a computation failed, in one line for the operator: what PostgreSQL says first, with the relation and the column."""

from __future__ import annotations

import re

import psycopg
from sqlalchemy import exc

from shared.errors import InvalidData

_PARAMETER = re.compile(r"%\((\w+)\)s")
_ALIAS = re.compile(r"\bdashboard\.(\w+)\)? AS (\w+)")
_TABLE = re.compile(r"\bdashboard\.(\w+)")
_NAMED = re.compile(r"([a-z_]\w*)\.([a-z_]\w*)")
_BEFORE = re.compile(r"(?:\b([a-z_]\w*)\.)?\b([a-z_]\w*)\s*$")
# So far around the place that PostgreSQL points at the column is looked for.
_AROUND = 80


def reason(error: Exception) -> str:
    """One line about any error of a computation."""
    if isinstance(error, InvalidData):
        return error.reason
    if isinstance(error, exc.DBAPIError) and isinstance(error.orig, psycopg.Error):
        return _with_place(first_line(error.orig), error.statement, error.orig.diag.statement_position)
    return first_line(error) if isinstance(error, psycopg.Error) else type(error).__name__


def first_line(error: psycopg.Error) -> str:
    """What PostgreSQL says first, with the relation and the column where it tells them apart."""
    said = (error.diag.message_primary or str(error)).partition("\n")[0]
    where = ".".join(filter(None, (error.diag.schema_name, error.diag.table_name, error.diag.column_name)))
    return f"{where}: {said}" if where else said


def _with_place(said: str, statement: str | None, position: str | None) -> str:
    """The line with the contract's relation and column at the place where the statement is wrong, as far as it is known.

    PostgreSQL points at a name, or at the operator behind it.
    """
    if not statement or not position or not position.isdigit():
        return said
    sent, at = _as_sent(statement), int(position) - 1
    named = _NAMED.match(sent, at) or _BEFORE.search(sent, max(0, at - _AROUND), at)
    if named is None:
        return said
    aliases = {alias: table for table, alias in _ALIAS.findall(sent)}
    # A name without a relation stands in a subselect of one table, which begins before it.
    nearest = [found[1] for found in _TABLE.finditer(sent, 0, at)][-1:]
    tables = [aliases[named[1]]] if named[1] in aliases else nearest if named[1] is None else []
    return f"dashboard.{tables[0]}.{named[2]}: {said}" if tables else said


def _as_sent(statement: str) -> str:
    """The statement as the server has it: it counts places in a text with $1 for the first parameter."""
    numbers: dict[str, int] = {}
    numbered = _PARAMETER.sub(lambda found: f"${numbers.setdefault(found[1], len(numbers) + 1)}", statement)
    return numbered.replace("%%", "%")
