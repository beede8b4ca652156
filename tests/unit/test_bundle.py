"""One file of the page's modules: exports reach who imports them, names do not meet, elements stay within their weight."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from web.page.bundle import bundle, style_module
from web.page.pages import STATIC


def test_modules_become_one_that_imports_nothing(tmp_path: Path) -> None:
    files = {
        "main.js": b'import css from "./a.css.js";\nimport { twice as double, One } from "./one.js";\nimport "./side.js";\n'
        b"const own = 1;\nconsole.log(JSON.stringify([double(own), new One().two(), css, globalThis.side]));\n",
        "one.js": b"/** Two\n * lines */\nconst own = 20;\nexport function twice(n) {\n  // why\n  return 2 * n + own;\n}\n"
        b"export class One {\n  two = () => own;\n}\n",
        "side.js": b'import { twice } from "./one.js";\nglobalThis.side = twice(0);\n',
        "a.css": b'/* why */\na::before {\n  content: "\\201C  x";\n}\n',
    }
    made = bundle("main.js", files)
    assert b"import" not in made
    assert b"why" not in made
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not in PATH")
    (tmp_path / "made.mjs").write_bytes(made)
    out = subprocess.run([node, tmp_path / "made.mjs"], capture_output=True, check=True)
    assert json.loads(out.stdout) == [22, 20, 'a::before {\ncontent: "\\201C  x";\n}', 20]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b'import * as all from "./b.js";\n', "import \\* as all"),
        (b"export let counted = 0;\n", "export let"),
        (b'import "./b.js";\n', "b.js, a.js"),
    ],
)
def test_what_cannot_be_bundled_is_refused(source: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        bundle("a.js", {"a.js": source, "b.js": b'import "./a.js";\n'})


def test_a_style_sheet_is_text_without_comments() -> None:
    assert style_module(b"/* x */\na {\n  b: c;\n}\n") == b'export default "a {\\nb: c;\\n}";\n'


@pytest.mark.parametrize(("entry", "kilobytes"), [("metric.js", 20), ("elements.js", 60)])
def test_elements_weigh_little_with_their_styles(entry: str, kilobytes: int) -> None:
    files = {path.name: path.read_bytes() for path in STATIC.iterdir()}
    words = files["messages-en.json"] if entry == "elements.js" else b""
    weight = len(gzip.compress(bundle(entry, files), 9)) + len(gzip.compress(words, 9))
    assert weight <= kilobytes * 1024
