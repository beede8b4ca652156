"""A host that nobody knows, described in a small file: which table and column is what. It becomes a Host like any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.hosts.catalogue import Columns
from cli.hosts.host import Host, LeftOut, Total, quoted
from shared.errors import DaybookError
from workers.contract import REQUIRED, TABLES, Column, of_kind

PAGE = "docs/integrate.md"

# What a section may say beside the columns of the contract.
_OWN = ("table", "minor", "deleted", "where", "track")
_CASTS = {"identifier": "text", "text": "text", "currency": "text", "money": "numeric", "rate": "numeric", "date": "date",
          "timestamp": "timestamptz", "integer": "integer", "boolean": "boolean"}  # fmt: skip
_MOMENTS = ("timestamp with time zone",)
# By which day a table's rows are looked for.
_DAYS = {"invoice": "issue_date", "payment": "paid_on", "expense": "expense_date", "quote": "issue_date"}

Ask = Callable[[str, str], str]
"""Asked for what the description lacks: (the column, such as invoice.total; the table) → an answer as in the file."""


class BadDescription(DaybookError):
    """The description of the host is incomplete or names what is not there; `problems` says it one by one."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n  ".join(["the description of the host's tables does not do:", *problems]))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class _Section:
    """What the description says of one table of the contract; types: of the host's columns."""

    name: str
    data: Mapping[str, Any]
    types: Mapping[str, str] = field(default_factory=dict)

    def value(self, column: str) -> str:
        """SQL for what stands for the column: `name` of a column, `=expression`, or words as {column = …, posted = […]}."""
        said = self.data[column]
        if isinstance(said, Mapping):
            source = self._source(str(said["column"]))
            cases = "".join(
                f" WHEN {_literal(word)} THEN {_literal(ours)}"
                for ours in said
                if ours != "column"
                for word in _words(said[ours])
            )
            return f"CASE {source}::text{cases} ELSE {source}::text END"
        return self._source(str(said))

    def _source(self, said: str) -> str:
        return f"({said[1:]})" if said.startswith("=") else f"x.{quoted(said)}"

    def expression(self, column: str) -> str:
        """The same of the contract's type; amounts of minor units as amounts."""
        stated = TABLES[self.name].columns[column]
        minor = self.data.get("minor", False)
        if stated.kind == "money" and minor is not False and self.name != "tenant":
            places = "" if minor is True else f", {int(minor)}"
            return f"dashboard.from_minor({self.value(column)}, {self.expression('currency')}{places})"
        return f"{self.value(column)}::{_CASTS[stated.kind]}"

    @property
    def columns(self) -> list[str]:
        """The columns of the contract that are given, in its order."""
        return [name for name in TABLES[self.name].columns if name in self.data]

    @property
    def conditions(self) -> list[str]:
        """Which of the host's rows count."""
        found = []
        if deleted := str(self.data.get("deleted", "")):
            is_condition = deleted.startswith("=") or self.types.get(deleted) == "boolean"
            gone = "IS NOT TRUE" if is_condition else "IS NULL"
            found.append(f"{self._source(deleted)} {gone}")
        return [*found, *([f"({self.data['where']})"] if self.data.get("where") else [])]

    @property
    def tracked(self) -> str:
        """Whose a changed row is, as change capture takes it: a column, or an expression over `changed_row`."""
        said = self.data["tenant_id"]
        if isinstance(said, str) and not said.startswith("="):
            return said
        return re.sub(r"\bx\.", "changed_row.", self.value("tenant_id"))

    @property
    def source(self) -> str:
        """The host's table as x."""
        return f"{{host}}.{quoted(self.data['table'])} x"

    def view(self) -> str:
        """The view's SELECT."""
        selected = ",\n       ".join(f"{self.expression(name)} AS {name}" for name in self.columns)
        where = f"\nWHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f"SELECT {selected}\nFROM {self.source}{where}"

    def indexes(self) -> Iterator[str]:
        """What finds a row by its key, rows by their day, and open ones."""
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        key = [name for name in TABLES[self.name].key if name in self.data]
        yield self._index(key, where)
        if (day := _DAYS.get(self.name)) and day in self.data:
            yield self._index(["tenant_id", day], where)
        if self.name == "invoice" and "balance" in self.data:
            balance = self.expression("balance")
            is_open = f"({balance} IS NULL OR {balance} > 0)"
            yield self._index(["tenant_id"], f" WHERE {' AND '.join([*self.conditions, is_open])}")
        if self.name == "allocation":
            yield self._index(["tenant_id", "invoice_id"], where)
            yield self._index(["tenant_id", "source_kind", "source_id"], where)

    def _index(self, names: list[str], where: str) -> str:
        expressions = ", ".join(f"({self.expression(name)})" for name in names)
        return re.sub(r"\bx\.", "", f"({expressions}){where}")


def described(data: Mapping[str, Any], schema: str, columns: Columns, ask: Ask | None = None) -> Host:
    """The host that the description tells of. What it lacks is asked for, or without `ask` a BadDescription."""
    problems: list[str] = []
    sections = []
    for name in TABLES:
        if name in data or name in REQUIRED:
            section = _section(name, dict(data.get(name, {})), columns, ask, problems)
            sections.append(section)
    problems += [f"there is no table {name} in the contract" for name in data if name not in (*TABLES, "host")]
    if problems:
        raise BadDescription(problems)
    about = data.get("host", {})
    return Host(
        name="described",
        title=str(about.get("title", f"the product in {schema}")),
        page=PAGE,
        recognise={},
        views={one.name: one.view() for one in sections},
        indexes=_by_table(sections),
        track={one.data["table"]: one.data.get("track", one.tracked) for one in sections},
        totals=_totals(sections),
        left_out=tuple(_left_out(sections)),
    )


def _section(name: str, data: dict[str, Any], columns: Columns, ask: Ask | None, problems: list[str]) -> _Section:
    if "table" not in data and ask:
        data["table"] = ask(f"{name}.table", ", ".join(sorted(columns)))
    table = str(data.get("table", ""))
    if table not in columns:
        problems.append(f"{name}.table: {f'there is no table {table}' if table else 'is missing'}")
        return _Section(name, data)
    there = columns[table]
    for column, stated in TABLES[name].columns.items():
        if column not in data and _must_be_told(column, stated):
            if ask:
                data[column] = ask(f"{name}.{column}", f"{table} ({', '.join(sorted(there))})")
            else:
                problems.append(f"{name}.{column}: is missing")
        elif column not in data and stated.by_default:
            data[column] = f"={_literal(str(stated.default))}"
    for key, said in data.items():
        if key not in _OWN and key not in TABLES[name].columns:
            problems.append(f"{name}.{key}: the contract has no such column")
        problems += [f"{name}.{key}: {table} has no column {one}" for one in _named(key, said) if one not in there]
        problems += [
            f"{name}.{key}: {one} is none of {', '.join(words)}" for one, words in _strange_words(name, key, said)
        ]
    problems += [f"{name}.{key}: {one}" for key, said in data.items() for one in _unclear(name, key, said, there)]
    return _Section(name, data, there)


def _must_be_told(name: str, column: Column) -> bool:
    return not column.nullable and not column.by_default and name != "updated_at"


def _named(key: str, said: Any) -> Iterator[str]:
    """The host's columns that an entry names."""
    if key in ("table", "minor", "where", "track"):
        return
    name = said.get("column") if isinstance(said, Mapping) else said
    if isinstance(name, str) and not name.startswith("="):
        yield name


def _unclear(name: str, key: str, said: Any, types: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with an entry for a column of the contract, or with `deleted`."""
    if key in _OWN and key != "deleted":
        return
    if isinstance(said, Mapping):
        if not isinstance(said.get("column"), str):
            yield "say whose words these are: column = the name of a column"
    elif not isinstance(said, str):
        yield f'{said!r} is no name of a column; a constant is an SQL expression, "={str(said).lower()}"'
    elif key in of_kind(name, "date") and types.get(said) in _MOMENTS:
        day = f"(x.{quoted(said)} AT TIME ZONE 'UTC')::date"
        yield f'{said} is a moment, and on which day it is a time zone tells: "={day}"'


def _words(said: Any) -> list[str]:
    """The host's words of an entry, as text: a list or a single one, numbers and truth values too."""
    return [
        str(one).lower() if isinstance(one, bool) else str(one) for one in (said if isinstance(said, list) else [said])
    ]


def _strange_words(name: str, key: str, said: Any) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Words that an entry {column = …, posted = […]} translates into and the contract does not have there."""
    if isinstance(said, Mapping) and key in TABLES[name].columns:
        words = TABLES[name].columns[key].words
        yield from ((one, words) for one in said if one not in ("column", *words))


def _by_table(sections: list[_Section]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for one in sections:
        if one.name in ("tenant", "fx_rate"):
            continue
        known = found.setdefault(one.data["table"], [])
        known += [index for index in one.indexes() if index not in known]
    return {table: tuple(indexes) for table, indexes in found.items()}


def _totals(sections: list[_Section]) -> tuple[Total, ...]:
    invoice = next(one for one in sections if one.name == "invoice")
    if "balance" not in invoice.data:
        return ()
    tenant, currency, balance = (invoice.expression(name) for name in ("tenant_id", "currency", "balance"))
    where = " AND ".join(
        [
            *invoice.conditions,
            f"{balance} > 0",
            f"{invoice.expression('status')} = 'posted'",
            f"{invoice.expression('kind')} = 'invoice'",
        ]
    )
    host = f"SELECT {tenant}, {currency}, sum({balance}) FROM {invoice.source} WHERE {where} GROUP BY 1, 2"  # noqa: S608
    return (Total(says=f"open receivables, by {invoice.data['table']}", host=host),)


def _left_out(sections: list[_Section]) -> Iterator[LeftOut]:
    for one in sections:
        if one.conditions and one.name != "tenant":
            tenant, key = one.expression("tenant_id"), one.expression(TABLES[one.name].key[-1])
            unwanted = f"({' AND '.join(one.conditions)}) IS NOT TRUE"
            yield LeftOut(
                says=f"rows of {one.data['table']} that count as deleted or are not wanted",
                rows=f"SELECT {tenant}, {key} FROM {one.source} WHERE {unwanted}",  # noqa: S608
            )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
