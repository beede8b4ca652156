"""A host product as data: by which tables it is known, and the SQL that makes views of the contract of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from psycopg import sql

from cli.hosts.catalogue import Columns

KNOWN = ("odoo", "invoiceshelf", "lago")

# PostgreSQL's reserved words, which are no names of tables or columns without quotes.
_RESERVED_WORDS = """
all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation column
concurrently constraint create cross current_catalog current_date current_role current_schema current_time
current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze from
full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit localtime
localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references returning right
select session_user similar some symmetric system_user table tablesample then to trailing true union unique user using
variadic verbose when where window with
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())

_MARK = re.compile(r"^(?P<line>.*?)\s*--(?P<kind>[?!]) (?P<table>\w+)(?:\.(?P<column>\w+))?\s*$")
_PART = re.compile(r"\{(\w+)\}")
_TABLE = re.compile(r"\{host\}\.(?:\"((?:[^\"]|\"\")+)\"|(\w+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What is open by the host's own account: `host` yields (tenant_id, currency, amount)."""

    says: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Rows of the host's that the contract has no place for: `rows` yields (tenant_id, what people know the row by)."""

    says: str
    rows: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """See invoiceshelf.toml for what the texts may hold."""

    name: str
    title: str
    page: str
    recognise: Mapping[str, tuple[str, ...]]
    views: Mapping[str, str]
    parts: Mapping[str, str] = field(default_factory=dict)
    indexes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    track: Mapping[str, str] = field(default_factory=dict)
    totals: tuple[Total, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def is_in(self, columns: Columns) -> bool:
        """Whether these are the host's tables."""
        return all(set(wanted) <= columns.get(table, {}).keys() for table, wanted in self.recognise.items())

    def sql(self, text: str, schema: str, columns: Columns) -> str | None:
        """The text ready to run over the tables of `schema`; None where it needs a table that is not there."""
        while found := [name for name in _PART.findall(text) if name in self.parts]:
            for name in found:
                text = text.replace(f"{{{name}}}", self.parts[name].strip("\n"))
        lines = [kept for line in text.strip("\n").splitlines() if (kept := _kept(line, columns)) is not None]
        text = "\n".join(lines)
        if not {*_tables(text)} <= columns.keys():
            return None
        return text.replace("{host}", quoted(schema))

    def tables_of(self, text: str) -> Iterator[str]:
        """The host's tables that the text reads, parts included."""
        yield from _tables(text)
        for name in _PART.findall(text):
            yield from self.tables_of(self.parts.get(name, ""))


def _tables(text: str) -> Iterator[str]:
    for in_quotes, plain in _TABLE.findall(text):
        yield in_quotes.replace('""', '"') or plain


def _kept(line: str, columns: Columns) -> str | None:
    found = _MARK.match(line)
    if found is None:
        return line
    table, column = found["table"], found["column"]
    there = table in columns and (column is None or column in columns[table])
    return found["line"] if there == (found["kind"] == "?") else None


def quoted(name: str) -> str:
    """The name as SQL takes it, in quotes only where it needs them."""
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in _RESERVED
    return name if plain else sql.Identifier(name).as_string()


def known_hosts() -> list[Host]:
    """Every host product that is known, in the order in which a database is asked for it."""
    return [_read(name) for name in KNOWN]


def _read(name: str) -> Host:
    data: dict[str, Any] = tomllib.loads(files("cli.hosts").joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    return Host(
        name=name,
        title=data["title"],
        page=data["page"],
        recognise={table: tuple(columns) for table, columns in data["recognise"].items()},
        views=data["views"],
        parts=data.get("parts", {}),
        indexes={table: tuple(definitions) for table, definitions in data["indexes"].items()},
        track=data["track"],
        totals=tuple(Total(**one) for one in data.get("totals", ())),
        left_out=tuple(LeftOut(**one) for one in data.get("left_out", ())),
    )
