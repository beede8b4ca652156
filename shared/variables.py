"""How a setting says which environment variable holds it: name, allowed values, unit and one sentence, all in its field.

The field's own default is the variable's. Everything that lists settings is made from these fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

_KEY = "variable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Which texts a variable may hold. `allowed`: for lists; `problem`: the complaint; `parse` raises ValueError."""

    allowed: str
    problem: str
    parse: Callable[[str], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One environment variable.

    `roles`: the processes that read it and cannot do without it; empty: all may read it and none needs it.
    `secret`: never printed; `address`: printed without its password; `begins`: the title of the group that it opens;
    `default_text`: shown for the default where the field's own is not the whole truth.
    """

    name: str
    kind: Kind
    text: str
    unit: str = ""
    roles: tuple[str, ...] = ()
    secret: bool = False
    address: bool = False
    begins: str = ""
    default_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A variable with the default of its field, as text."""

    variable: Variable
    default: str


def variable(name: str, kind: Kind, text: str, **more: Any) -> Mapping[str, Variable]:
    """Metadata of a field that `name` holds."""
    return {_KEY: Variable(name=name, kind=kind, text=text, **more)}


def stated(settings: type) -> Iterator[Stated]:
    """Every variable of a settings class and of those nested in it, in the order of the fields."""
    for one in fields(settings):
        known: Variable | None = one.metadata.get(_KEY)
        if known is None:
            yield from stated(type(_default(one)))
        else:
            shown = as_text(_default(one)) if known.default_text is None else known.default_text
            yield Stated(variable=known, default=shown)


def read(settings: type, env: Mapping[str, str], role: str, problems: list[str]) -> dict[str, Any]:
    """Values for the fields of a settings class; what is wrong goes to `problems`, never its text: it may be secret."""
    values: dict[str, Any] = {}
    for one in fields(settings):
        known: Variable | None = one.metadata.get(_KEY)
        default = _default(one)
        if known is None:
            values[one.name] = type(default)(**read(type(default), env, role, problems))
        elif known.roles and role not in known.roles:
            values[one.name] = default
        else:
            values[one.name] = _value(known, env, default, problems)
    return values


def given(env: Mapping[str, str], name: str) -> str | None:
    """The text of a variable; None when it is unset or blank."""
    return env.get(name, "").strip() or None


def as_text(value: object) -> str:
    """A default as one writes it into the environment; empty for none."""
    if value is None or value is False:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _default(one: Field[Any]) -> Any:
    if one.default_factory is not MISSING:
        return one.default_factory()
    return None if one.default is MISSING else one.default


def _value(known: Variable, env: Mapping[str, str], default: Any, problems: list[str]) -> Any:
    text = given(env, known.name)
    if text is None:
        if known.roles:
            problems.append(f"{known.name}: must be set")
        return default
    try:
        return known.kind.parse(text)
    except ValueError:
        problems.append(f"{known.name}: {known.kind.problem}")
        return default


def checked(valid: Callable[[str], object], *, allowed: str, problem: str) -> Kind:
    """Any text for which `valid` holds."""

    def parse(text: str) -> str:
        if not valid(text):
            raise ValueError
        return text

    return Kind(allowed=allowed, problem=problem, parse=parse)


def words(allowed: str = "") -> Kind:
    """Any text."""
    return Kind(allowed=allowed, problem="", parse=str)


def matching(pattern: str, allowed: str) -> Kind:
    """A text that the pattern fits from end to end."""
    return checked(lambda text: re.fullmatch(pattern, text, re.ASCII), allowed=allowed, problem=f"must match {pattern}")


def whole(low: int, high: int) -> Kind:
    """A whole number within both bounds, written in digits only."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return Kind(allowed=f"{low} to {high}", problem=f"must be a whole number from {low} to {high}", parse=parse)


def flag() -> Kind:
    """0 or 1."""

    def parse(text: str) -> bool:
        if text not in ("0", "1"):
            raise ValueError
        return text == "1"

    return Kind(allowed="0 or 1", problem="must be 0 or 1", parse=parse)


def each(valid: Callable[[str], bool], wanted: str) -> Kind:
    """Several, with commas between them."""

    def parse(text: str) -> tuple[str, ...]:
        values = tuple(part.strip() for part in text.split(",") if part.strip())
        if not all(map(valid, values)):
            raise ValueError
        return values

    return Kind(allowed=f"{wanted}; several with commas", problem=f"each entry must be {wanted}", parse=parse)


def address(*schemes: str) -> Kind:
    """A URL of one of the schemes; several hosts may stand side by side (sentinels, standbys)."""

    def is_address(text: str) -> bool:
        parts = urlsplit(text)
        for host in parts.netloc.rpartition("@")[2].split(","):
            _ = urlsplit(f"//{host}").port
        return parts.scheme.split("+")[0] in schemes and bool(parts.netloc or parts.path)

    starts = [f"{scheme}://" for scheme in schemes]
    return checked(
        is_address, allowed=", ".join(f"{s}…" for s in starts),
        problem=f"must be an address that starts with {' or '.join(starts)}",
    )  # fmt: skip
