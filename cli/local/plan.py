"""Decides from the environment what bin/run starts: which embedded services, with which variables for the processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli.local.embedded import Postgres, Valkey, free_port
from cli.local.state import Local
from shared.errors import ConfigError
from shared.settings import Role, Settings
from workers.roles import Login

DATABASE = "daybook"
OWNER = "daybook_owner"
WORKER = "daybook_worker"
# Hexadecimal digits: 96 bits, and still an address that fits a line.
PASSWORD_LENGTH = 24
_JWT_KEYS = ("JWT_SECRET_KEY", "JWT_PUBLIC_KEY", "JWT_JWKS_URL")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to start. `variables` is the whole environment of the processes; `demo`: demo tenants and their tokens.

    owner_url: the database as whoever plays the host product and types commands sees it. With the embedded one that is its
    owner, while the processes are only workers; roles of other databases are their operators'.
    """

    variables: dict[str, str]
    settings: Settings
    owner_url: str = field(repr=False)
    owner: Login | None
    worker: Login | None
    postgres: Postgres | None
    valkey: Valkey | None
    demo: bool

    @property
    def embedded(self) -> tuple[Postgres | Valkey, ...]:
        """The services to start before the processes, in that order."""
        return tuple(service for service in (self.postgres, self.valkey) if service is not None)


def make_plan(given: Mapping[str, str], local: Local) -> Plan:
    """The plan for these variables; raises ConfigError naming every bad one.

    The built-in secret and the demo exist only where both services are embedded: with a database or a Redis of
    your own comes the key that your tokens are signed with.
    """
    variables = {**given, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', os.defpath)}"}
    variables.setdefault("PYTHONUNBUFFERED", "1")
    if os.geteuid() == 0:
        # Celery warns of root twice; the person who types bin/run knows it.
        variables.setdefault("PYTHONWARNINGS", "ignore:You're running the worker with superuser privileges:UserWarning")
    # Where prometheus_client shares counts between processes; it would make a directory in /tmp and leave it there.
    variables["PROMETHEUS_MULTIPROC_DIR"] = str(local.metrics)
    postgres = valkey = owner = worker = None
    owner_url = variables.get("DATABASE_URL", "")
    if not variables.get("DATABASE_URL"):
        postgres = Postgres(local.postgres, free_port(), password=local.secret("postgres")[:PASSWORD_LENGTH])
        owner, worker = (Login(name, local.secret(name)[:PASSWORD_LENGTH]) for name in (OWNER, WORKER))
        owner_url = postgres.url(DATABASE, owner)
        variables["DATABASE_URL"] = postgres.url(DATABASE, worker)
    if not variables.get("REDIS_URL"):
        valkey = Valkey(local.valkey, free_port(), password=local.secret("valkey")[:PASSWORD_LENGTH])
        variables["REDIS_URL"] = valkey.url()
    embedded = postgres is not None and valkey is not None
    if embedded and not any(variables.get(name) for name in _JWT_KEYS):
        variables["JWT_SECRET_KEY"] = local.secret("jwt")
    if embedded and not variables.get("LOG_LEVEL"):
        # A newcomer's screen: what was printed when it got ready must not scroll away.
        variables["LOG_LEVEL"] = "WARNING"
    wanted = variables.get("DASHBOARD_DEMO") or ("1" if embedded else "0")
    variables["DASHBOARD_DEMO"] = wanted
    settings = _check(variables, demo_allowed=embedded)
    return Plan(
        variables=variables,
        settings=settings,
        owner_url=owner_url,
        owner=owner,
        worker=worker,
        postgres=postgres,
        valkey=valkey,
        demo=settings.demo,
    )


def _check(variables: Mapping[str, str], *, demo_allowed: bool) -> Settings:
    problems: list[str] = []
    roles: tuple[Role, ...] = ("web", "cli")
    for role in roles:
        try:
            settings = Settings.from_env(variables, role=role)
        except ConfigError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if variables.get("DASHBOARD_DEMO") == "1" and not demo_allowed:
        problems.append("DASHBOARD_DEMO: the demo exists only with the embedded services; leave it unset")
    if problems:
        raise ConfigError(problems)
    return settings
