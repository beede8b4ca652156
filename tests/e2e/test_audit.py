"""The audit on a real worker and by hand: a lost change is found, told, mended and counted; a slot is audited once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis
from celery import Celery

from shared.broker import celery_options, celery_url
from shared.counters import AUDITED, Counted
from shared.keys import Keys
from shared.settings import Settings
from tests.conftest import Services
from tests.dash import called, typed
from tests.days import today
from tests.rows import Rows, add_tenant
from tests.servers import Worker, eventually
from tests.tokens import SECRET

WITHIN_S = 40.0


@pytest.fixture
def worker(services: Services, database_url: str, keys: Keys) -> Iterator[Worker]:
    with Worker(services.redis_url, database_url, keys) as worker:
        yield worker


@pytest.fixture
def celery(services: Services, keys: Keys) -> Celery:
    settings = Settings(redis_url=services.redis_url, key_prefix=keys.prefix)
    app = Celery("daybook-tests", broker=celery_url(settings), set_as_current=False)
    app.conf.broker_transport_options = celery_options(settings)
    return app


def drifted(db: psycopg.Connection[Any], celery: Celery, valkey: redis.Redis, keys: Keys) -> Rows:
    """A tenant whose change was computed by nobody and noted nowhere."""
    rows = add_tenant(db)
    celery.send_task("dashboard.recalculate", args=[["t1"]], queue="commands", ignore_result=True)
    eventually(lambda: valkey.exists(keys.snapshot("t1")), within_s=WITHIN_S)
    rows.invoice(today(), 1000)
    db.execute("DELETE FROM dashboard.change")
    return rows


def test_the_scheduled_audit_finds_and_mends_what_was_lost_once_for_each_slot(
    worker: Worker, db: psycopg.Connection[Any], celery: Celery, valkey: redis.Redis, keys: Keys
) -> None:
    drifted(db, celery, valkey, keys)
    snapshot = valkey.hget(keys.snapshot("t1"), "snapshot")
    for _ in range(2):  # two beats
        celery.send_task("dashboard.audit", kwargs={"scheduled": True}, queue="sweep", ignore_result=True)
    celery.send_task("dashboard.pulse", queue="sweep", ignore_result=True)
    eventually(lambda: valkey.exists(keys.pulse), within_s=WITHIN_S)
    assert Counted(valkey.hgetall(keys.metrics)).by_value(AUDITED) == {"clean": 0, "drift": 1, "skipped": 0}
    assert valkey.smembers(keys.drifting) == {b"t1"}
    assert valkey.hget(keys.snapshot("t1"), "snapshot") != snapshot
    assert '"event":"audit_drift"' in worker.log
    assert "expected 1000.00, served 0.00" in worker.log

    celery.send_task("dashboard.audit", queue="sweep", ignore_result=True)
    eventually(lambda: not valkey.exists(keys.drifting), within_s=WITHIN_S)


def test_by_hand_it_says_what_differs_and_fails_until_it_is_mended(
    worker: Worker,
    db: psycopg.Connection[Any],
    celery: Celery,
    valkey: redis.Redis,
    keys: Keys,
    services: Services,
    database_url: str,
) -> None:
    drifted(db, celery, valkey, keys)
    environment = {
        "REDIS_URL": services.redis_url, "DATABASE_URL": database_url, "JWT_SECRET_KEY": SECRET,
        "DASHBOARD_KEY_PREFIX": keys.prefix,
    }  # fmt: skip
    found = typed(environment, "audit", "--all")
    assert (found.returncode, found.stdout) == (1, "1 tenants: 0 clean, 1 drift, 0 skipped\n")
    assert "t1: snapshot.metrics.Daily Revenue.value: expected 1000.00, served 0.00" in found.stderr
    mended = called(environment, "audit")
    assert (mended.returncode, mended.stdout) == (0, "1 tenants: 1 clean, 0 drift, 0 skipped\n")
    unknown = called(environment, "audit", "nobody")
    assert (unknown.returncode, unknown.stderr.splitlines()[-1]) == (0, "  nobody: unknown")
    assert called(environment, "audit", "--all", "t1").returncode == 2
