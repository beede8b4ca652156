"""docs/architecture.md names every module, with its docstring's first words, and sends nobody to a room that is not there.

`python -m tests.unit.test_architecture_page` writes the tables of modules anew.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "architecture.md"
PACKAGES = ("web", "workers", "shared", "cli")
_SOURCES = re.compile(r"\s*(?:Source: [^.]*(?:\.\d[^.]*)*|SPEC [\d, and]+)\.?$")


def modules(package: str) -> Iterator[tuple[str, str]]:
    """Path and first words of everything in the package that says what it is for, packages before what is in them."""
    paths = sorted((PROJECT / package).rglob("*.py"), key=lambda path: (path.parent, path.name != "__init__.py", path))
    for path in paths:
        source = path.read_text()
        if source.strip() and "migrations/versions" not in str(path):
            name = path.relative_to(PROJECT).as_posix()
            yield name.removesuffix("__init__.py"), first_words(ast.get_docstring(ast.parse(source)) or "")


def first_words(docstring: str) -> str:
    """The first paragraph, without where it comes from."""
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    return _SOURCES.sub("", paragraph).replace("|", "\\|")


def table(package: str) -> str:
    rows = (f"| `{name}` | {text} |" for name, text in modules(package))
    return "\n".join((f"### {package}/", "", "| module | what lives there |", "|---|---|", *rows, ""))


def section(package: str, page: str) -> str:
    found = re.search(rf"^### {package}/\n.*?(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"docs/architecture.md has no table of {package}/"
    return found[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_has_its_row_and_every_row_its_module(package: str) -> None:
    written, expected = section(package, PAGE.read_text()).strip(), table(package).strip()
    assert written == expected, "python -m tests.unit.test_architecture_page writes the tables anew"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_it_is_for(package: str) -> None:
    assert [name for name, text in modules(package) if not text] == []


def test_every_room_that_the_page_sends_a_reader_to_exists() -> None:
    named = set(re.findall(r"`((?:web|workers|shared|cli|docs|tests|deploy)/[\w./-]*)`", PAGE.read_text()))
    assert named
    assert sorted(name for name in named if not (PROJECT / name).exists()) == []


def test_every_package_of_web_is_described_in_words() -> None:
    words = PAGE.read_text().split("### web/")[0]
    packages = [path.name for path in sorted((PROJECT / "web").iterdir()) if (path / "__init__.py").exists()]
    assert [name for name in packages if f"`web/{name}/`" not in words] == []


def _write_anew() -> None:
    page = PAGE.read_text()
    for package in PACKAGES:
        page = page.replace(section(package, page), f"{table(package)}\n")
    PAGE.write_text(page.rstrip() + "\n")


if __name__ == "__main__":
    _write_anew()
