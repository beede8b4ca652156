"""JSON Schema of the wire types: what msgspec derives from them, with Decimal as the number that it is on the wire."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any, get_args

import msgspec

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/{name}"
_DECIMAL = {"type": "string", "format": "decimal"}


def component_schemas(types: Collection[type[msgspec.Struct]]) -> dict[str, Schema]:
    """Schemas of the structs and of everything that they hold, by name."""
    _, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    return {name: _on_the_wire(components[name]) for name in sorted(components)}


def reference(kind: type[msgspec.Struct]) -> Schema:
    """Where the struct's schema stands in a document."""
    return {"$ref": REFERENCE.format(name=kind.__name__)}


def described(kind: type[msgspec.Struct]) -> str:
    """The struct's docstring."""
    return inspect.getdoc(kind) or ""


def tag_of(kind: type[msgspec.Struct]) -> str:
    """The `type` that tells messages of this struct from others."""
    return str(kind.__struct_config__.tag)


def members(union: Any) -> tuple[type[msgspec.Struct], ...]:
    """The structs of a union."""
    return get_args(union)


def _on_the_wire(schema: Any) -> Any:
    if schema == _DECIMAL:
        return {"type": "number"}
    if isinstance(schema, dict):
        whole = {name: _on_the_wire(part) for name, part in schema.items()}
        if isinstance(whole.get("description"), str):
            whole["description"] = inspect.cleandoc(whole["description"])
        return whole
    return [_on_the_wire(part) for part in schema] if isinstance(schema, list | tuple) else schema
