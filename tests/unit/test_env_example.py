""".env.example: generated, complete, and true about the defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import StringIO

import pytest
from dotenv import dotenv_values

from cli.clone import ROOT
from cli.settings_text import SECTIONS, VARIABLES, effective, env_example, masked
from shared.settings import Role, Settings

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


def test_the_file_is_what_the_command_prints() -> None:
    assert (ROOT / ".env.example").read_text() == env_example()


def test_every_variable_that_is_read_is_listed_and_no_other() -> None:
    environment = Recording()
    for role in ROLES:
        Settings.from_env(environment, role=role)
    assert {variable.name for variable in VARIABLES} == environment.asked


def test_the_listed_defaults_are_the_real_ones() -> None:
    uncommented = env_example().replace("\n#", "\n")
    listed = {
        name: value
        for name, value in dotenv_values(stream=StringIO(uncommented), interpolate=False).items()
        if value and name in {variable.name for variable in VARIABLES}
    }
    for role in ROLES:
        assert Settings.from_env({**listed, **NEEDED}, role=role) == Settings.from_env(NEEDED, role=role)


def test_a_copy_of_the_example_changes_nothing_before_it_is_edited() -> None:
    assert dotenv_values(ROOT / ".env.example") == {}


def test_every_variable_says_what_it_is_for() -> None:
    assert all(variable.text for section in SECTIONS.values() for variable in section)


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
