"""A line of JSON becomes a row of the contract, or a reason why not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from shared import strict_json
from workers.contract import TABLES, Column, Kind, Table, of_kind
from workers.source.clock import zone

LONGEST_LINE = 100_000
"""Bytes. A document of the contract has a few hundred."""

_MONEY_PLACES = 4
_MONEY_LIMIT = Decimal(10) ** 16
_RATE_PLACES = Decimal(1).scaleb(-12)
_RATE_LIMIT = Decimal(10) ** 12
_AT = re.compile(r"^(.*) - at `\$\.(\w+)`$")

_TYPES: Mapping[Kind, Any] = {
    "identifier": Annotated[str, msgspec.Meta(min_length=1, max_length=255)],
    "text": str,
    "money": Decimal,
    "rate": Decimal,
    "currency": Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")],
    "date": date,
    "timestamp": Annotated[datetime, msgspec.Meta(tz=True)],
    "boolean": bool,
}


class BadDocument(ValueError):
    """The line is no document of the contract; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one line asks for: to write the row (`values` by the table's columns) or, where `values` is None, to delete it."""

    line: int
    table: str
    key: tuple[Any, ...]
    values: tuple[Any, ...] | None
    updated_at: datetime | None


def change(line: int, data: bytes) -> Change:
    """What the line asks for. Raises BadDocument."""
    if len(data) > LONGEST_LINE:
        raise BadDocument(f"the line is longer than {LONGEST_LINE:,} bytes")
    try:
        document = strict_json.loads(data, exact=True)
    except UnicodeDecodeError:
        raise BadDocument("the line is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise BadDocument(f"no JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadDocument("the line is no JSON object")
    if b"\\u0000" in data and any("\0" in text for text in document.values() if isinstance(text, str)):
        raise BadDocument("a text holds a NUL character, which PostgreSQL does not keep")
    table = document.pop("table", None)
    if not isinstance(table, str) or table not in TABLES:
        raise BadDocument(f"table must be one of {', '.join(TABLES)}")
    gone = document.pop("delete", False)
    if not isinstance(gone, bool):
        raise BadDocument("delete must be true or false")
    return _READERS[table, gone](line, document)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads documents of one table, or of its deletions."""

    name: str
    table: Table
    shape: type[msgspec.Struct]
    deletes: bool
    checks: Mapping[str, Callable[[Any], Any]]
    key_at: tuple[int, ...]
    updated_at: int | None

    def __call__(self, line: int, document: dict[str, Any]) -> Change:
        try:
            row = list(msgspec.structs.astuple(msgspec.convert(document, self.shape)))
        except msgspec.ValidationError as error:
            raise BadDocument(_plain(str(error), self.table)) from None
        names = self.shape.__struct_fields__
        for at, name in enumerate(names):
            if (check := self.checks.get(name)) and row[at] is not None:
                row[at] = _checked(name, check, row[at])
        return Change(
            line=line,
            table=self.name,
            key=tuple([row[at] for at in self.key_at]),
            values=None if self.deletes else tuple(row),
            updated_at=None if self.updated_at is None else row[self.updated_at],
        )


def _checked(name: str, check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except BadDocument as error:
        raise BadDocument(f"{name}: {error}") from None


def _plain(message: str, table: Table) -> str:
    """What msgspec says, with the column in front and the words it may hold."""
    found = _AT.match(message)
    if found is None:
        return message.removeprefix("Object ").replace("missing", "misses").replace("contains unknown", "has no such")
    words = table.columns[found[2]].words
    return f"{found[2]}: {'must be one of ' + ', '.join(words) if words else found[1]}"


def _money(least: int | None) -> Callable[[Decimal], Decimal]:
    def check(value: Decimal) -> Decimal:
        if not value.is_finite() or abs(value) >= _MONEY_LIMIT:
            raise BadDocument(f"{value} is no amount below 10^16")
        if value != round(value, _MONEY_PLACES):
            raise BadDocument(f"{value} has more than {_MONEY_PLACES} decimals")
        if least is not None and value < least:
            raise BadDocument(f"{value} is below {least}")
        return value

    return check


def _rate(value: Decimal) -> Decimal:
    if not value.is_finite() or value >= _RATE_LIMIT:
        raise BadDocument(f"{value} is no rate below 10^12")
    # Below 0 it may have more digits than can be quantized.
    if value <= 0 or (kept := value.quantize(_RATE_PLACES)) == 0:
        raise BadDocument(f"{value} is no rate above 0")
    return kept


def _timezone(value: str) -> str:
    if zone(value) is None:
        raise BadDocument(f"there is no time zone {value!r}")
    return value


def _type(column: Column) -> Any:
    kind: Any = Literal[column.words] if column.words else None
    if column.kind == "integer":
        kind = Annotated[int, msgspec.Meta(ge=column.least, le=column.most)]
    kind = kind or _TYPES[column.kind]
    return kind | None if column.nullable else kind


def _field(name: str, column: Column) -> tuple[Any, ...]:
    if column.nullable or column.by_default:
        return (name, _type(column), column.default)
    return (name, _type(column))


def _reader(name: str, *, deletes: bool) -> _Reader:
    table = TABLES[name]
    told = [*table.key, *(["updated_at"] if table.dated else [])] if deletes else list(table.columns)
    shape = msgspec.defstruct(
        name, [_field(one, table.columns[one]) for one in told], forbid_unknown_fields=True, kw_only=True
    )
    checks: dict[str, Callable[[Any], Any]] = {
        **{one: _money(table.columns[one].least) for one in of_kind(name, "money") if one in told},
        **{one: _rate for one in of_kind(name, "rate") if one in told},
        **({"timezone": _timezone} if "timezone" in told else {}),
    }
    return _Reader(
        name=name,
        table=table,
        shape=shape,
        deletes=deletes,
        checks=checks,
        key_at=tuple(told.index(one) for one in table.key),
        updated_at=told.index("updated_at") if table.dated else None,
    )


_READERS = {(name, deletes): _reader(name, deletes=deletes) for name in TABLES for deletes in (False, True)}
