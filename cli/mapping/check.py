"""Asks everything of a mapping that contract.py, rules.py and links.py know, within a time for each reading and for all."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping

import psycopg

from cli.mapping.asking import READING_S, ask, reading
from cli.mapping.contract import RELATIONS, Readable
from cli.mapping.finding import Example, Finding, in_order
from cli.mapping.indexes import missing_indexes
from cli.mapping.links import Question, questions
from cli.mapping.rules import rules
from cli.mapping.scan import scan
from cli.mapping.shape import Shape, shapes
from cli.mapping.tracking import tracked_tenants
from workers.capture.gaps import capture_gaps

WHOLE_S = 20.0
"""After so long no more questions are asked."""


def check_mapping(
    connection: psycopg.Connection, *, tracking: bool = True, longest_s: float = READING_S
) -> list[Finding]:
    """Everything that is wrong, or good to know, the worst first; with `tracking` also what change capture misses.
    No question is pursued for longer than `longest_s`.

    The connection is an autocommit one, and only read from.
    """
    with reading(connection, longest_s=longest_s):
        findings = list(_findings(connection))
        if tracking:
            findings += _gaps(connection)
    return in_order(findings)


def _gaps(connection: psycopg.Connection) -> Iterator[Finding]:
    try:
        gaps = capture_gaps(connection)
    except psycopg.Error as error:
        yield Finding(
            level="warning",
            table="change capture",
            says=f"cannot be looked at: {_first_line(error)}",
            advice="use the role of DATABASE_URL, or run it when the database is quieter",
        )
        return
    for gap in gaps:
        yield Finding(level="error" if gap.lossy else "info", table=gap.table, says=gap.detail, advice=gap.advice)


def _findings(connection: psycopg.Connection) -> Iterator[Finding]:
    until = time.monotonic() + WHOLE_S
    encoding = connection.info.parameter_status("server_encoding") or "UTF8"
    found = shapes(connection)
    readable = {name: shape.readable for name, shape in found.items()}
    unread: set[str] = set()
    for shape in found.values():
        yield from shape.findings
        # Every row is looked at beside its tenant.
        if shape.is_there and "tenant" not in unread:
            yield from _rows(connection, shape, readable, unread, encoding)
    for question in questions():
        if time.monotonic() > until:
            yield Finding(
                level="warning",
                table=question.table,
                says=f"the check was broken off after {WHOLE_S:.0f} s: not all was asked",
                advice="give your tables indexes, or run it when the database is quieter",
            )
            break
        yield from _answer(connection, question, readable, unread)
    yield from tracked_tenants(connection, readable)
    yield from missing_indexes(connection, readable)


def _rows(
    connection: psycopg.Connection, shape: Shape, readable: Mapping[str, Readable], unread: set[str], encoding: str
) -> Iterator[Finding]:
    name = shape.name
    try:
        yield from _empty(connection, shape)
        yield from scan(connection, readable[name], readable["tenant"], rules(name, encoding=encoding))
    except psycopg.errors.QueryCanceled:
        unread.add(name)
        yield _too_slow(name)
    except (psycopg.errors.InsufficientPrivilege, psycopg.OperationalError) as error:
        unread.add(name)
        yield _unreadable(name, error)
    except psycopg.Error as error:
        # Some column of some row: which?
        broken = dict(_broken(connection, readable[name]))
        for column, (reason, example) in broken.items():
            yield Finding(
                level="error",
                table=name,
                says=f"reading {column} fails: {reason}",
                advice="correct the view's expression, or the row; whoever has such a row cannot be computed",
                example=example,
            )
        if not broken:
            yield _unreadable(name, error)
            unread.add(name)
            return
        whole = readable[name]
        readable[name] = Readable(name, whole.columns - broken.keys())  # type: ignore[index]
        yield from _again(connection, name, readable, unread, encoding)


def _again(
    connection: psycopg.Connection, name: str, readable: Mapping[str, Readable], unread: set[str], encoding: str
) -> Iterator[Finding]:
    try:
        yield from scan(connection, readable[name], readable["tenant"], rules(name, encoding=encoding))
    except psycopg.Error as error:
        unread.add(name)
        yield _unreadable(name, error)


def _empty(connection: psycopg.Connection, shape: Shape) -> Iterator[Finding]:
    """A view without a row shows a wrong condition; an empty table of ours is one that nobody has filled yet."""
    if not (shape.is_view and RELATIONS[shape.name].required):
        return
    if not ask(connection, f"SELECT 1 FROM dashboard.{shape.name} LIMIT 1"):
        yield Finding(
            level="error", table=shape.name, says="the view has no row", advice="correct its condition or its joins"
        )


def _broken(connection: psycopg.Connection, relation: Readable) -> Iterator[tuple[str, tuple[str, Example | None]]]:
    for column in sorted(relation.columns):
        try:
            ask(connection, f"SELECT count(r.{column}) FROM {relation.rows} AS r")
        except psycopg.errors.QueryCanceled:
            continue
        except psycopg.Error as error:
            yield column, (_first_line(error), _whose(connection, relation, column))


def _whose(connection: psycopg.Connection, relation: Readable, column: str) -> Example | None:
    """The first tenant in whose rows the column cannot be read, looked for no longer than one reading may take."""
    until = time.monotonic() + READING_S
    asked = f"SELECT count(r.{column}) FROM {relation.rows} AS r WHERE r.tenant_id = %s"
    try:
        tenants = ask(connection, f"SELECT DISTINCT tenant_id FROM {relation.rows} AS r")
    except psycopg.Error:
        return None
    for (tenant_id,) in tenants:
        if time.monotonic() > until:
            return None
        try:
            ask(connection, asked, [tenant_id])
        except psycopg.Error:
            return Example(tenant_id=tenant_id, row_id=None, column=column, value="what cannot be read")
    return None


def _answer(
    connection: psycopg.Connection, question: Question, readable: Mapping[str, Readable], unread: set[str]
) -> Iterator[Finding]:
    asked_of = set(re.findall(r"\{(\w+)\}", question.sql))
    if asked_of & unread or not all(readable[name].columns for name in asked_of):
        return
    sql = re.sub(
        r"\{(\w+)\}", lambda match: readable[match[1]].rows, question.sql.replace("{{", "{").replace("}}", "}")
    )
    try:
        rows = ask(connection, f"SELECT count(*) OVER (), q.tenant_id, q.row_id, q.value FROM ({sql}) AS q LIMIT 1")
    except psycopg.errors.QueryCanceled:
        yield Finding(
            level="warning",
            table=question.table,
            says=f"after {READING_S:.0f} s it was not known whether there are {question.says}",
            advice="give your tables indexes, or run bin/dash check when the database is quieter",
        )
        return
    except psycopg.Error as error:
        yield _unreadable(question.table, error)
        return
    for count, tenant_id, row_id, value in rows:
        yield Finding(
            level=question.level,
            table=question.table,
            says=question.says,
            advice=question.advice,
            count=count,
            example=Example(tenant_id=tenant_id, row_id=row_id, column=question.column, value=value),
        )


def _too_slow(name: str) -> Finding:
    return Finding(
        level="error",
        table=name,
        says=f"it takes longer than {READING_S:.0f} s to read",
        advice="give your tables the indexes that the view needs, or simplify it; its rows were not looked at",
    )


def _unreadable(name: str, error: psycopg.Error) -> Finding:
    filtered = "row-level security" in str(error)
    denied = isinstance(error, psycopg.errors.InsufficientPrivilege) and not filtered
    advice = "correct the view"
    if filtered:
        advice = "ALTER ROLE … BYPASSRLS, for whoever reads the table: the view's owner, else the role of DATABASE_URL"
    elif denied:
        advice = (
            "bin/dash migrate as the owner grants workers what they need; the view's owner needs SELECT on its tables"
        )
    return Finding(level="error", table=name, says=f"cannot be read: {_first_line(error)}", advice=advice)


def _first_line(error: psycopg.Error) -> str:
    return str(error).partition("\n")[0]
