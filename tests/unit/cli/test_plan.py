"""What bin/run decides to start, and with which secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.clone import AlreadyRunning
from cli.local.plan import make_plan
from cli.local.state import Local
from shared.errors import ConfigError

POSTGRES = {"DATABASE_URL": "postgresql://127.0.0.1/daybook"}
REDIS = {"REDIS_URL": "redis://127.0.0.1/0"}
KEY = {"JWT_SECRET_KEY": "k" * 32}


@pytest.fixture
def local(tmp_path: Path) -> Local:
    found = Local(tmp_path / ".local")
    found.make()
    return found


def test_without_addresses_both_services_are_embedded_with_a_secret_of_the_clone(local: Local) -> None:
    plan = make_plan({}, local)
    assert [service.name for service in plan.embedded] == ["postgres", "valkey"]
    assert plan.demo
    assert plan.settings.jwt.secret_key == local.secret("jwt")
    assert plan.variables["DATABASE_URL"].startswith("postgresql://daybook_worker:")
    assert plan.owner_url.startswith("postgresql://daybook_owner:")


def test_the_secrets_of_a_clone_last_differ_by_purpose_and_are_private(local: Local, tmp_path: Path) -> None:
    secrets = [local.secret("jwt"), local.secret("jwt"), local.secret("postgres")]
    assert secrets[0] == secrets[1] != secrets[2]
    assert (local.directory / "secret").stat().st_mode & 0o077 == 0
    other = Local(tmp_path / "other")
    other.make()
    assert other.secret("jwt") != secrets[0]


def test_dashboard_demo_0_leaves_the_demo_out(local: Local) -> None:
    assert not make_plan({"DASHBOARD_DEMO": "0"}, local).demo


@pytest.mark.parametrize("given", [POSTGRES, REDIS, {**POSTGRES, **REDIS}])
def test_whoever_brings_a_service_must_bring_the_key_as_well(local: Local, given: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="JWT_SECRET_KEY"):
        make_plan(given, local)
    plan = make_plan({**given, **KEY}, local)
    assert not plan.demo
    assert plan.settings.jwt.secret_key == KEY["JWT_SECRET_KEY"]
    assert len(plan.embedded) == 2 - len(given)


def test_the_demo_cannot_be_asked_for_in_a_database_of_ones_own(local: Local) -> None:
    with pytest.raises(ConfigError, match="DASHBOARD_DEMO"):
        make_plan({**POSTGRES, **REDIS, **KEY, "DASHBOARD_DEMO": "1"}, local)


def test_what_is_wrong_for_any_process_is_named_once(local: Local) -> None:
    with pytest.raises(ConfigError) as caught:
        make_plan({"PORT": "x", "WORKER_CONCURRENCY": "x", "DATABASE_URL": "x"}, local)
    assert sorted(problem.partition(":")[0] for problem in caught.value.problems) == [
        "DATABASE_URL",
        "JWT_SECRET_KEY, JWT_PUBLIC_KEY or JWT_JWKS_URL",
        "PORT",
        "WORKER_CONCURRENCY",
    ]


def test_what_runs_is_known_only_while_it_holds_the_lock(local: Local) -> None:
    with local.locked():
        local.publish({"PORT": "1234"})
        assert local.running() == {"PORT": "1234"}
        with pytest.raises(AlreadyRunning), local.locked():
            pass
    assert local.running() == {}
