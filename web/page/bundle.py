"""One file of the page's modules, for other people's pages: an entry with all that it imports, without comments.

Each module becomes a function that is called once, in the order of the imports, and returns its exports; so names of
different modules never meet. The page's modules keep to a few forms of import and export, anything else is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_COMMENT = re.compile(r"^[ \t]*//[^\n]*\n|/\*\*.*?\*/[ ]?", re.DOTALL | re.MULTILINE)
_INDENT = re.compile(r"\n\s+|\n{2,}")
_IMPORT = re.compile(r'^import (?:(\w+)|(\{[^}]*\})) from "\./([\w.-]+)";$|^import "\./([\w.-]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function|class|const) (\w+)", re.MULTILINE)
_EXPORT_LIST = re.compile(r"^export \{ ([\w, ]+) \};$", re.MULTILINE)
_LEFT_OVER = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)


def bundle(entry: str, files: Mapping[str, bytes]) -> bytes:
    """The entry as one module that imports nothing. `files`: sources by name; a sheet `x.css` is imported as `x.css.js`.

    Raises ValueError for a form of import or export that is not known, and for modules that import each other.
    """
    done: dict[str, str] = {}
    _add(entry, files, done, ())
    return "".join(done.values()).encode()


def style_module(css: bytes) -> bytes:
    """A style sheet as a module whose default is its text: a shadow root takes it where a policy forbids inline styles."""
    text = re.sub(r"/\*.*?\*/", "", css.decode(), flags=re.DOTALL)
    return f"export default {json.dumps(_INDENT.sub(chr(10), text).strip(), ensure_ascii=False)};\n".encode()


def _add(name: str, files: Mapping[str, bytes], done: dict[str, str], importers: tuple[str, ...]) -> None:
    if name in done:
        return
    if name in importers:
        raise ValueError(f"modules import each other: {', '.join((*importers, name))}")
    if name.endswith(".css.js"):
        text = style_module(files[name.removesuffix(".js")]).decode()
        done[name] = (
            f"const {_variable(name)} = {text.removeprefix('export ').replace('default ', '{ default: ', 1)[:-2]} }};\n"
        )
        return
    source = _INDENT.sub("\n", _COMMENT.sub("", files[name].decode()))
    for found in _IMPORT.finditer(source):
        _add(found[3] or found[4], files, done, (*importers, name))
    exports = [found[2] for found in _EXPORT.finditer(source)]
    exports += [given for found in _EXPORT_LIST.finditer(source) for given in found[1].split(", ")]
    body = _EXPORT_LIST.sub("", _EXPORT.sub(r"\1 \2", _IMPORT.sub(_taken, source)))
    if left_over := _LEFT_OVER.search(body):
        raise ValueError(f"{name}: {left_over[0]}")
    done[name] = f"const {_variable(name)} = (() => {{\n{body.strip()}\nreturn {{ {', '.join(exports)} }};\n}})();\n"


def _taken(found: re.Match[str]) -> str:
    if found[4]:
        return ""
    names = f"{{ default: {found[1]} }}" if found[1] else found[2].replace(" as ", ": ")
    return f"const {names} = {_variable(found[3])};"


def _variable(name: str) -> str:
    return "_" + re.sub(r"\W", "_", name.removesuffix(".js"))
