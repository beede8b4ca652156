"""JSON that every reader understands alike: no NaN, no Infinity, no name given twice, no half of a character."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn


class DuplicateName(ValueError):
    """An object names one field twice; readers differ in which they believe. Send each once."""


class NotANumber(ValueError):
    """NaN or Infinity, which Python reads and JSON does not have, or an exponent beyond all numbers."""


class LoneSurrogate(ValueError):
    """Half of a character beyond the first plane (\\ud800 to \\udfff without its other half), which is no text."""


def dumps(value: Any) -> bytes:
    """UTF-8; raises ValueError for what is not a number."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def loads(data: bytes, *, exact: bool = False) -> Any:
    """The value in UTF-8 `data`, with fractions as Decimal where `exact`; raises ValueError, of the kinds above or another,
    or RecursionError."""
    value = (_EXACT if exact else _PLAIN).decode(data.decode())
    # Only an escape can bring one in; the decoder joins those that have their other half.
    if b"\\u" in data:
        _check_text(value)
    return value


def _check_text(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise LoneSurrogate("a text holds half of a character") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DuplicateName("a name is given twice")
    return found


def _refuse(name: str) -> NoReturn:
    raise NotANumber(f"{name} is not valid JSON")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise NotANumber("a number has an exponent that nobody can compute with") from None


_PLAIN = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
_EXACT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_decimal)
