"""What `bin/dash doctor` finds of this installation: its Python, its packages, its settings. Asks no service."""

from __future__ import annotations

import importlib.metadata
import sys
import tomllib
from collections.abc import Mapping

from cli.clone import ROOT
from cli.doctor.check import Check
from shared.errors import ConfigError
from shared.settings import Role, Settings


def python() -> Check:
    """Which Python runs this."""
    # bin/dash has already refused one that is too old.
    return Check(name="python", status="ok", detail=".".join(map(str, sys.version_info[:3])))


def packages() -> Check:
    """Whether the packages are those that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = (str(pin).split("==") for pin in project["dependencies"])
    wrong = []
    for name, version in pins:
        try:
            found = importlib.metadata.version(name.partition("[")[0])
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if found != version:
            wrong.append(f"{name} {found} instead of {version}")
    if not wrong:
        return Check(name="packages", status="ok", detail="as pinned")
    return Check(
        name="packages",
        status="warn",
        detail="; ".join(wrong),
        advice="pip install --require-hashes -r requirements.txt",
    )


def settings_problems(environment: Mapping[str, str]) -> list[str]:
    """Settings that are missing or malformed, for any process; each said once."""
    problems: dict[str, None] = {}
    roles: tuple[Role, ...] = ("web", "cli")
    for role in roles:
        try:
            Settings.from_env(environment, role=role)
        except ConfigError as error:
            problems.update(dict.fromkeys(error.problems))
    return list(problems)


def tenant_claim(settings: Settings) -> Check:
    """Whether it is said which claim of a token holds the tenant."""
    named = settings.jwt.tenant_claim
    if named or settings.demo:
        return Check(name="tenant claim", status="ok", detail=named or "tenant_id, else sub: the demo's tokens")
    return Check(
        name="tenant claim",
        status="warn",
        detail="JWT_TENANT_CLAIM is not set: a token without tenant_id opens the tenant whose id is its sub",
        advice="set it to the claim of your tokens that holds the tenant (sub, if users are tenants)",
    )
