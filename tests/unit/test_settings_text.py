""".env.example and the tables of the documents: made from the settings, complete, and true about the defaults."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values

from cli.clone import ROOT
from cli.local.settings_files import expected, update
from cli.settings_text import effective, env_example
from shared.settings import Role, Settings
from shared.shown_settings import VARIABLES, masked

NEEDED = {
    "REDIS_URL": "redis://127.0.0.1",
    "DATABASE_URL": "postgresql://127.0.0.1/daybook",
    "JWT_SECRET_KEY": "k" * 32,
}
ROLES: tuple[Role, ...] = ("web", "worker", "cli")


class Recording(Mapping[str, str]):
    """An environment that remembers which variables it was asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return NEEDED[name]

    def __iter__(self) -> Iterator[str]:
        return iter(NEEDED)

    def __len__(self) -> int:
        return len(NEEDED)


def test_every_list_of_settings_is_as_the_settings_are_now() -> None:
    """When this fails: bin/dash config --update."""
    for path, text in expected(ROOT).items():
        assert path.read_text() == text, path


def test_every_variable_stands_in_every_list() -> None:
    for text in expected(ROOT).values():
        assert all(one.variable.name in text for one in VARIABLES)


def test_the_update_mends_what_differs_and_touches_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in (".env.example", "README.md", "docs/operations.md"):
        shutil.copy2(ROOT / name, tmp_path / name)
    assert update(tmp_path) == []
    readme = tmp_path / "README.md"
    readme.write_text(readme.read_text().replace("| 8000 |", "| 80 |"))
    assert update(tmp_path) == [readme]
    assert readme.read_text() == (ROOT / "README.md").read_text()


def test_the_guide_states_the_same_limits() -> None:
    rows = [line for line in (ROOT / "docs" / "api.md").read_text().splitlines() if line.startswith("|")]
    limits = {one.variable.name: one.default for one in VARIABLES}
    named = [(row, name) for row in rows for name in re.findall(r"`(DASHBOARD_(?:RATE|MAX)_\w+)`", row)]
    assert named
    for row, name in named:
        assert limits[name] in row


def test_every_variable_that_is_read_is_listed_and_no_other() -> None:
    environment = Recording()
    for role in ROLES:
        Settings.from_env(environment, role=role)
    assert {one.variable.name for one in VARIABLES} == environment.asked


def test_the_listed_defaults_are_the_real_ones() -> None:
    uncommented = env_example().replace("\n#", "\n")
    listed = {
        name: value
        for name, value in dotenv_values(stream=StringIO(uncommented), interpolate=False).items()
        if value and name in {one.variable.name for one in VARIABLES}
    }
    for role in ROLES:
        assert Settings.from_env({**listed, **NEEDED}, role=role) == Settings.from_env(NEEDED, role=role)


def test_a_copy_of_the_example_changes_nothing_before_it_is_edited() -> None:
    assert dotenv_values(ROOT / ".env.example") == {}


def test_every_variable_says_what_it_is_for() -> None:
    assert all(one.variable.text for one in VARIABLES)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (
            "postgresql://daybook:hunter2@db.example.com:5432/daybook",
            "postgresql://daybook:***@db.example.com:5432/daybook",
        ),
        ("redis://:hunter2@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("redis://:hunter2@hunter2@127.0.0.1/0", "redis://:***@127.0.0.1/0"),
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("postgresql:///daybook?user=me&password=hunter2", "postgresql:///daybook?user=me&password=***"),
        ("postgresql://[daybook:hunter2@db/daybook", "postgresql://[daybook:***@db/daybook"),
        ("daybook:hunter2@db", "***"),
    ],
)
def test_an_address_is_shown_without_its_password(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_effective_settings_hide_secrets_and_show_defaults() -> None:
    text = effective({**NEEDED, "JWT_SECRET_KEY": "hunter2" * 5, "REDIS_URL": "redis://:hunter2@127.0.0.1"})
    assert "hunter2" not in text
    assert "PORT=8000" in text.splitlines()
