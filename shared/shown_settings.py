"""The settings as they may be shown to anybody: without secrets, an address without its passwords."""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.settings import Role, Settings
from shared.variables import Stated, Variable, stated

# user:password@ of an address, and passwords among its parameters. Greedy: a password may hold an @ by mistake.
_LOGIN = re.compile(r"//([^:/@]*):.*@")
_PARAMETER = re.compile(r"(?i)(password|passwd|secret)=[^&]*")

VARIABLES: tuple[Stated, ...] = tuple(stated(Settings))


def masked(address: str) -> str:
    """An address without its passwords; nothing at all of what is no address, for it may be anything."""
    if "://" not in address:
        return "***"
    return _PARAMETER.sub(r"\1=***", _LOGIN.sub(r"//\1:***@", address))


def shown(variable: Variable, value: str) -> str:
    """The value as it may be printed, on one line: without secrets, an address without its password."""
    if variable.secret and value:
        return "***"
    if variable.address and value:
        return masked(value)
    return value.replace("\n", "\\n")


def shown_values(environment: Mapping[str, str], role: Role | None = None) -> dict[str, str]:
    """Every variable, or those that a process of this role is told, as it holds in the environment."""
    return {
        one.variable.name: shown(one.variable, environment.get(one.variable.name) or one.default)
        for one in VARIABLES
        if role is None or not one.variable.roles or role in one.variable.roles
    }
