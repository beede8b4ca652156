"""The locks say what pyproject.toml asks for, whole and with hashes. When one fails: python -m cli.local.lock."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cli.clone import ROOT
from cli.local.lock import LARGEST, LOCKS

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
WANTED: dict[str, list[str]] = {
    LARGEST: [*PROJECT["project"]["dependencies"], *EXTRAS["local"], *EXTRAS["test"]],
    "requirements-local.txt": [*PROJECT["project"]["dependencies"], *EXTRAS["local"]],
    "requirements.txt": PROJECT["project"]["dependencies"],
    "tests/typescript/requirements.txt": PROJECT["dependency-groups"]["node"],
}


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a lock: what pip is asked for, and the hashes that it accepts."""

    requirement: Requirement
    hashes: int

    @property
    def version(self) -> str:
        return next(iter(self.requirement.specifier)).version

    @property
    def is_for_us(self) -> bool:
        """Whether it is for this Python on this machine."""
        return self.requirement.marker is None or self.requirement.marker.evaluate()


def pins(path: Path) -> Iterator[Pin]:
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    for line in text.splitlines():
        asked, *hashes = line.split("--hash=sha256:")
        yield Pin(Requirement(asked.strip()), len(hashes))


def for_us(name: str) -> dict[str, str]:
    """Versions by package, for this Python on this machine."""
    return {canonicalize_name(pin.requirement.name): pin.version for pin in pins(ROOT / name) if pin.is_for_us}


def missing(lock: dict[str, str], wanted: Requirement, seen: set[tuple[str, ...]]) -> Iterator[str]:
    """What a requirement needs and the lock does not give, through all that is installed here."""
    name = canonicalize_name(wanted.name)
    if name not in lock or not wanted.specifier.contains(lock[name], prereleases=True):
        yield f"{wanted} (the lock has {lock.get(name)})"
        return
    if (name, *sorted(wanted.extras)) in seen:
        return
    seen.add((name, *sorted(wanted.extras)))
    for text in importlib.metadata.requires(name) or ():
        further = Requirement(text)
        extras = ("", *sorted(wanted.extras))
        if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras):
            yield from missing(lock, further, seen)


def test_every_lock_has_a_test() -> None:
    assert LOCKS.keys() == WANTED.keys()


@pytest.mark.parametrize("name", WANTED)
def test_every_package_is_pinned_with_hashes_and_names_no_index(name: str) -> None:
    found = list(pins(ROOT / name))
    assert found
    for pin in found:
        assert [one.operator for one in pin.requirement.specifier] == ["=="], pin.requirement
        assert pin.hashes, pin.requirement
    assert "://" not in (ROOT / name).read_text()


@pytest.mark.parametrize("name", WANTED)
def test_a_lock_has_the_versions_that_the_project_asks_for(name: str) -> None:
    versions = for_us(name)
    for text in WANTED[name]:
        asked = Requirement(text)
        assert asked.specifier.contains(versions[canonicalize_name(asked.name)], prereleases=True), asked


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-local.txt", LARGEST])
def test_a_lock_holds_whatever_its_packages_need_in_turn(name: str) -> None:
    lock, seen = for_us(name), set[tuple[str, ...]]()
    assert [line for text in WANTED[name] for line in missing(lock, Requirement(text), seen)] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-local.txt"])
def test_the_smaller_locks_agree_with_the_largest(name: str) -> None:
    assert for_us(name).items() <= for_us(LARGEST).items()


def test_production_has_no_embedded_servers() -> None:
    assert (
        not {canonicalize_name(Requirement(text).name) for text in EXTRAS["local"]} & for_us("requirements.txt").keys()
    )


def test_the_compilers_lock_names_no_registry() -> None:
    assert '"resolved"' not in (ROOT / "tests" / "typescript" / "package-lock.json").read_text()
