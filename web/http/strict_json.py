"""JSON that every reader understands alike, in both directions: no NaN, no Infinity, and no name given twice."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flask.json.provider import DefaultJSONProvider


class DuplicateName(ValueError):
    """An object names one field twice; readers differ in which they believe. Send each once."""


class NotANumber(ValueError):
    """NaN or Infinity, which Python reads and JSON does not have."""


class StrictJson(DefaultJSONProvider):
    """What Flask's jsonify writes with."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return super().dumps(obj, allow_nan=False, **kwargs)


def dumps(value: Any) -> bytes:
    """UTF-8; raises ValueError for what is not a number."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def loads(data: bytes) -> Any:
    """The value in UTF-8 `data`; raises ValueError, of the kinds above or another, or RecursionError."""
    return json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DuplicateName("a name is given twice")
    return found


def _refuse(name: str) -> NoReturn:
    raise NotANumber(f"{name} is not valid JSON")
