"""bin/dash tenants and what doctor says of tenants: from rows that cannot be computed to the operator's screen."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import redis
from sqlalchemy import Engine

from cli import tenants
from cli.clone import ROOT
from cli.doctor import examine
from shared.keys import Keys
from shared.looked import Looked
from shared.outcomes import Recalculation
from shared.settings import Settings
from shared.store import SnapshotWriter
from tests.conftest import Services
from tests.days import today
from tests.rows import add_tenant
from tests.servers import inherited_environment
from workers import worker_stats
from workers.alerts import AlertKeeper
from workers.audit import Finding, record
from workers.recalculate import recalculate
from workers.remembered import Memory
from workers.source import Source

IDS = ("bad", "drifts", "fine", "new", "old")


@pytest.fixture
def environment(services: Services, database_url: str, keys: Keys) -> dict[str, str]:
    return {
        **inherited_environment(),
        "DATABASE_URL": database_url,
        "REDIS_URL": services.redis_url,
        "JWT_SECRET_KEY": "s" * 32,
        "DASHBOARD_KEY_PREFIX": keys.prefix,
        "PORT": "1",
    }


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    return Settings.from_env(environment, role="cli")


@pytest.fixture
def troubles(db: psycopg.Connection, engine: Engine, valkey: redis.Redis, keys: Keys) -> None:
    """bad cannot be computed, drifts was found wrong, old has missed its sweeps, new has no snapshot yet."""
    for tenant_id in IDS:
        add_tenant(db, tenant_id).invoice(today(), 100)
    db.execute("ALTER TABLE dashboard.invoice ALTER total TYPE numeric")
    writer, alerts = SnapshotWriter(valkey, keys), AlertKeeper(engine, valkey, keys)

    def compute(*tenant_ids: str, took_s: float) -> None:
        outcomes = recalculate(
            tenant_ids,
            source=Source(engine),
            writer=writer,
            alerts=alerts,
            memory=Memory(),
            now=lambda: datetime.now(UTC),
        )
        result = Recalculation(outcomes=tuple(outcomes), duration_seconds=took_s)
        worker_stats.recalculated(result, "changes", valkey.pipeline(), keys)

    compute("drifts", "fine", "old", "bad", took_s=0.04)
    compute("fine", took_s=0.5)
    db.execute("UPDATE dashboard.invoice SET total = 'NaN' WHERE tenant_id = 'bad'")
    compute("bad", took_s=0.01)
    record(Finding(tenant_id="drifts", verdict="drift", lines=("metrics.0.value: 1 instead of 2",)), valkey, keys)
    valkey.hset(keys.snapshot("old"), "as_of", str(time.time_ns() // 1_000_000 - 3_600_000))
    Looked(valkey, keys).mark(IDS)
    valkey.zadd(keys.connections("drifts"), {"a lease": time.time() + 60, "one that is over": time.time() - 1})


@pytest.mark.usefixtures("troubles")
def test_each_tenant_is_in_the_worst_state_that_holds(valkey: redis.Redis, settings: Settings, engine: Engine) -> None:
    found = {one.tenant_id: one for one in tenants.look(IDS, valkey, settings, counted=tenants.documents(engine))}

    assert {tenant_id: one.state for tenant_id, one in found.items()} == {
        "bad": "failing", "drifts": "drifting", "fine": "ok", "new": "waiting", "old": "stale",
    }  # fmt: skip
    assert "dashboard.invoice" in (found["bad"].reason or "")
    assert found["drifts"].reason == "metrics.0.value: 1 instead of 2"
    for one in (found["bad"], found["drifts"]):
        age = datetime.now(UTC) - datetime.fromisoformat(one.since or "")
        assert 0 <= age.total_seconds() < 120
    assert tenants.chosen(found.values(), (), "slowest")[0].tenant_id == "fine"
    assert tenants.chosen(found.values(), (), "hottest")[0].tenant_id == "drifts"
    assert (found["drifts"].connections, found["fine"].ms, found["new"].documents) == (1, 500.0, 1)


@pytest.mark.usefixtures("troubles")
def test_doctor_names_who_fails_and_drifts_until_it_is_mended(
    environment: dict[str, str], valkey: redis.Redis, keys: Keys
) -> None:
    def said() -> dict[str, Any]:
        return {check.name: check for check in examine(environment) if "tenant " in check.name or "comp" in check.name}

    found = said()
    assert found["tenant failing"].status == found["tenant drifting"].status == "fail"
    assert found["tenant failing"].detail.startswith("bad since 20")
    assert "total: NaN cannot be computed with" in found["tenant failing"].detail
    assert found["tenant drifting"].detail.endswith("metrics.0.value: 1 instead of 2")

    record(Finding(tenant_id="drifts", verdict="clean"), valkey, keys)
    valkey.hdel(keys.snapshot("bad"), "failing", "failing_since")
    assert [check.status for check in said().values() if check.name == "computations"] == ["ok"]


@pytest.mark.usefixtures("troubles")
def test_the_command_filters_and_speaks_json(environment: dict[str, str]) -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "cli.dash", "tenants", *arguments]
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    only = json.loads(run("--failing", "--stale", "--largest", "--json"))["tenants"]
    assert [(one["tenant_id"], one["state"], one["documents"]) for one in only] == [
        ("bad", "failing", 1),
        ("old", "stale", 1),
    ]
    lines = run().splitlines()
    assert len(lines) == 1 + len(IDS)
    assert [line.split()[:2] for line in lines[1:3]] == [["bad", "failing"], ["drifts", "drifting"]]
