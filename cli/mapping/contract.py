"""What each relation of the schema `dashboard` must look like: its columns, their types, which are required (SPEC 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from workers.contract import REQUIRED, TABLES, Kind, Table
from workers.source.columns import OPTIONAL

Type = Literal["text", "numeric", "date", "timestamptz", "integer", "boolean"]

# What PostgreSQL calls the types that are read as each of ours, without a mistake.
RIGHT: Mapping[Type, frozenset[str]] = {
    "text": frozenset({"text", "varchar", "bpchar", "name"}),
    "numeric": frozenset({"numeric"}),
    "date": frozenset({"date"}),
    "timestamptz": frozenset({"timestamptz"}),
    "integer": frozenset({"int2", "int4", "int8"}),
    "boolean": frozenset({"bool"}),
}
# Wrong, and yet good enough to look at what stands in the column.
READABLE: Mapping[Type, frozenset[str]] = {
    "text": frozenset({"int2", "int4", "int8", "uuid", "numeric"}),
    "numeric": frozenset({"int2", "int4", "int8", "float4", "float8", "money"}),
    "date": frozenset({"timestamp", "timestamptz"}),
    "timestamptz": frozenset({"timestamp", "date"}),
    "integer": frozenset({"numeric"}),
    "boolean": frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """One of the nine. `key`: the columns that name a row (after tenant_id); `needed`: those that may be neither missing nor
    null."""

    key: tuple[str, ...]
    types: Mapping[str, Type]
    needed: frozenset[str]
    required: bool = False


_TYPES: Mapping[Kind, Type] = {
    "identifier": "text", "text": "text", "currency": "text", "money": "numeric", "rate": "numeric", "date": "date",
    "timestamp": "timestamptz", "integer": "integer", "boolean": "boolean",
}  # fmt: skip


def _relation(name: str, table: Table) -> Relation:
    optional = {
        column
        for column, stated in table.columns.items()
        if (stated.nullable and column != "updated_at") or column in OPTIONAL.get(name, ())
    }
    return Relation(
        key=table.key[1:],
        types={column: _TYPES[stated.kind] for column, stated in table.columns.items()},
        needed=frozenset(table.columns.keys() - optional),
        required=name in REQUIRED,
    )


RELATIONS: Mapping[str, Relation] = {name: _relation(name, table) for name, table in TABLES.items()}


@dataclass(frozen=True, slots=True)
class Readable:
    """A relation of which these columns can be read."""

    name: str
    columns: frozenset[str]

    @property
    def rows(self) -> str:
        """SQL for its rows, each column of the type that it should have; null stands for what cannot be read."""
        relation = RELATIONS[self.name]
        selected = [
            f"r.{column}::{type_name} AS {column}" if column in self.columns else f"NULL::{type_name} AS {column}"
            for column, type_name in relation.types.items()
        ]
        return f"(SELECT {', '.join(selected)} FROM dashboard.{self.name} AS r)"

    def has(self, columns: Iterable[str]) -> bool:
        """Whether all of these can be read."""
        return set(columns) <= self.columns


def row_id(name: str, alias: str = "r") -> str:
    """SQL for the text that names a row within its tenant."""
    key = RELATIONS[name].key
    return f"concat_ws(' ', {', '.join(f'{alias}.{column}' for column in key)})" if key else "NULL::text"
