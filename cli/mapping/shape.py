"""Which columns the nine relations have, and of which types: what the catalogue alone says about a mapping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg

from cli.mapping.asking import ask
from cli.mapping.contract import READABLE, RELATIONS, RIGHT, Readable, Type
from cli.mapping.finding import Finding
from workers.source.columns import OPTIONAL

_COLUMNS = """
    SELECT relname::text, relkind IN ('v', 'm'), attname::text, coalesce(base.typname, own.typname)::text
    FROM pg_catalog.pg_class
    JOIN pg_catalog.pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    JOIN pg_catalog.pg_type AS own ON own.oid = atttypid
    LEFT JOIN pg_catalog.pg_type AS base ON base.oid = own.typbasetype
    WHERE relnamespace = to_regnamespace('dashboard') AND relkind IN ('r', 'p', 'v', 'm', 'f')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A relation as the catalogue knows it: `types` of its columns, None when there is no such relation."""

    name: str
    is_view: bool = False
    types: dict[str, str] = field(default_factory=dict)

    @property
    def is_there(self) -> bool:
        """Whether there is such a relation."""
        return bool(self.types)

    @property
    def readable(self) -> Readable:
        """What can be read of it."""
        wanted = RELATIONS[self.name].types
        return Readable(self.name, frozenset(name for name in wanted if _fits(self.types.get(name), wanted[name])))

    @property
    def findings(self) -> Iterator[Finding]:
        """What is wrong with it, whatever rows it has."""
        if not self.is_there:
            yield Finding(
                level="error",
                table=self.name,
                says="there is no such table or view",
                advice=f"CREATE VIEW dashboard.{self.name} again; one without rows will do where you have no such thing",
            )
            return
        relation = RELATIONS[self.name]
        for column, type_name in relation.types.items():
            if column not in self.types:
                yield from _missing(self.name, column, needed=column in relation.needed)
            elif self.types[column] not in RIGHT[type_name]:
                yield _wrong_type(self.name, column, self.types[column], type_name)


def shapes(connection: psycopg.Connection) -> dict[str, Shape]:
    """Every relation of the contract."""
    found = {name: Shape(name=name) for name in RELATIONS}
    for name, is_view, column, type_name in ask(connection, _COLUMNS):
        if name in found:
            found[name] = Shape(name=name, is_view=is_view, types={**found[name].types, column: type_name})
    return found


def _fits(found: str | None, wanted: Type) -> bool:
    return found in RIGHT[wanted] or found in READABLE[wanted]


def _missing(table: str, column: str, *, needed: bool) -> Iterator[Finding]:
    if column == "updated_at":
        yield Finding(
            level="warning",
            table=table,
            says="there is no column updated_at",
            advice="add it to the view; now() will do",
        )
    elif needed:
        yield Finding(
            level="error",
            table=table,
            says=f"there is no column {column}, without which nothing can be computed",
            advice="add it to the view",
        )
    elif column in OPTIONAL.get(table, {}):
        yield Finding(
            level="info",
            table=table,
            says=f"there is no column {column}: {OPTIONAL[table][column].lost}",
            advice="add it to the view, if there is such a thing",
        )


_CASTS: dict[Type, str] = {
    "text": "::text", "numeric": "::numeric(20,4), minor units divided by 100.0", "date": "::date, in the tenant's time zone",
    "timestamptz": " AT TIME ZONE its zone", "integer": "::integer", "boolean": ": a condition that is true or false",
}  # fmt: skip


def _wrong_type(table: str, column: str, found: str, wanted: Type) -> Finding:
    return Finding(
        level="error",
        table=table,
        says=f"{column} is of type {found}, not {wanted}",
        advice=f"give {column}{_CASTS[wanted]} in the view",
    )
