"""What Prometheus reads at /metrics: the web process's own numbers, and what the workers left in Redis."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis
import requests
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from cli.local.embedded import free_port
from shared.counters import STAGES
from shared.keys import Keys
from shared.outcomes import Outcome, Recalculation
from shared.pulse import Pulse
from tests.conftest import Services
from tests.patience import PATIENCE
from tests.servers import WebServer, eventually
from tests.tokens import bearer
from web.ops.metrics import MULTIPROCESS_DIR, Metrics
from workers import worker_stats
from workers.audit import Finding, record
from workers.stages import Trace

HEALTH = "/api/dashboard/health/"


@pytest.fixture
def server(services: Services, keys: Keys) -> Iterator[WebServer]:
    """Two web processes behind one port, the test's own."""
    with WebServer(services.redis_url, keys, env={"WEB_CONCURRENCY": "2"}, beating=False) as server:
        yield server


def samples(server: WebServer) -> dict[tuple[str, str], float]:
    """Value by (name, labels) of everything exposed; a family told twice fails."""
    answer = requests.get(f"{server.url}/metrics", timeout=5)
    assert answer.status_code == 200, server.log
    families = list(text_string_to_metric_families(answer.text))
    assert len({family.name for family in families}) == len(families)
    return {(sample.name, labels(sample)): sample.value for family in families for sample in family.samples}


def labels(sample: Sample) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()) if name != "pid")


def computed(*statuses: str, seconds: float = 0.02) -> Recalculation:
    outcomes = tuple(Outcome(tenant_id=f"t{n}", status=status) for n, status in enumerate(statuses))  # type: ignore[arg-type]
    return Recalculation(outcomes=outcomes, duration_seconds=seconds)


def test_workers_counts_are_exposed_in_prometheus_format_without_tenants(
    server: WebServer, valkey: redis.Redis, keys: Keys
) -> None:
    worker_stats.recalculated(computed("changed", "unchanged", "failed"), "changes", valkey.pipeline(), keys)
    worker_stats.recalculated(computed("changed", seconds=30.0), "sweep", valkey.pipeline(), keys)
    record(Finding(tenant_id="t1", verdict="drift", lines=("x",)), valkey, keys)
    valkey.rpush(keys.queue("sweep"), "a", "b")
    found = samples(server)
    assert found["dashboard_tenants_computed_total", "verdict=changed"] == 2
    assert found["dashboard_tenants_computed_total", "verdict=refused"] == 0
    assert found["dashboard_recalculations_total", "queue=sweep"] == 1
    assert found["dashboard_recalculation_seconds_bucket", "le=0.01"] == 0
    assert found["dashboard_recalculation_seconds_bucket", "le=0.025"] == 1
    assert found["dashboard_recalculation_seconds_bucket", "le=20"] == 1
    assert found["dashboard_recalculation_seconds_bucket", "le=+Inf"] == 2
    assert found["dashboard_recalculation_seconds_count", ""] == 2
    assert found["dashboard_recalculation_tenants_sum", ""] == 4
    assert found["dashboard_audited_tenants_total", "verdict=drift"] == 1
    assert found["dashboard_queue_length", "queue=sweep"] == 2
    assert found["dashboard_queue_length", "queue=commands"] == 0
    assert {name for name, _ in found if not name.startswith("dashboard_")} == set()
    assert not any("t1" in label for _, label in found)


def test_a_task_sent_for_changes_counts_each_of_its_stages_once_for_each_tenant(
    server: WebServer, valkey: redis.Redis, keys: Keys
) -> None:
    queued_ms = time.time_ns() // 1_000_000 - 30
    trace = Trace({"noted_ms": [4, 40], "queued_ms": queued_ms})
    for stage in STAGES[2:]:
        trace.lap(stage)
    worker_stats.recalculated(computed("changed", "changed"), "changes", valkey.pipeline(), keys, trace)
    not_of_a_change = Trace({"queued_ms": queued_ms})
    not_of_a_change.lap("read")
    worker_stats.recalculated(computed("changed"), "sweep", valkey.pipeline(), keys, not_of_a_change)
    found = samples(server)
    counts = {stage: found["dashboard_stage_seconds_count", f"stage={stage}"] for stage in STAGES}
    assert counts == dict.fromkeys(STAGES, 2)
    assert found["dashboard_stage_seconds_bucket", "le=0.005,stage=listen"] == 1
    assert found["dashboard_stage_seconds_bucket", "le=0.05,stage=listen"] == 2
    assert found["dashboard_stage_seconds_sum", "stage=listen"] == pytest.approx(0.044)
    assert found["dashboard_stage_seconds_sum", "stage=queue"] >= 0.060


def test_counting_never_fails_the_work_that_is_told_with_it(valkey: redis.Redis, keys: Keys) -> None:
    valkey.set(keys.cost, "not what it should be")
    with valkey.pipeline(transaction=False) as pipe:
        pipe.set(keys.throttle("t0"), "told")
        worker_stats.recalculated(computed("changed"), "changes", pipe, keys)
        assert valkey.get(keys.throttle("t0")) == b"told"
        pipe.incr(keys.throttle("t0"))
        with pytest.raises(redis.ResponseError):
            worker_stats.recalculated(computed("changed"), "changes", pipe, keys)


def test_the_pulse_carries_what_fails_drifts_and_waits(server: WebServer, valkey: redis.Redis, keys: Keys) -> None:
    worker_stats.recalculated(computed("failed", "failed"), "changes", valkey.pipeline(), keys)
    worker_stats.recalculated(computed("changed"), "changes", valkey.pipeline(), keys)  # t0 is well again
    record(Finding(tenant_id="t7", verdict="drift", lines=("x",)), valkey, keys)
    worker_stats.beat(valkey, keys, database_ms=2.0, database_error=None, oldest_change=41)
    first = time.monotonic()
    eventually(lambda: time.monotonic() - first > 0.01)
    worker_stats.beat(valkey, keys, database_ms=2.0, database_error=None, oldest_change=41)
    # Either of the two may answer, each as soon as it has seen the pulse.
    found = eventually(lambda: samples(server), lambda found: found.get(("dashboard_change_age_seconds", ""), 0.0) > 0)
    assert found["dashboard_tenants_failing", ""] == 1
    assert found["dashboard_tenants_drifting", ""] == 1
    assert found["dashboard_change_age_seconds", ""] < 5 * PATIENCE
    assert found["dashboard_database_seconds", ""] == 0.002
    assert found["dashboard_pulse_age_seconds", ""] < 5 * PATIENCE


def test_a_change_waits_since_it_was_first_the_oldest_even_while_the_database_is_away(
    valkey: redis.Redis, keys: Keys
) -> None:
    def pulse() -> Pulse:
        return msgspec.json.decode(valkey.get(keys.pulse) or b"", type=Pulse)

    worker_stats.beat(valkey, keys, database_ms=1.0, database_error=None, oldest_change=7)
    since = pulse().oldest_since_ms
    assert since is not None
    eventually(lambda: time.time_ns() // 1_000_000 > since)
    worker_stats.beat(valkey, keys, database_ms=None, database_error="OperationalError", oldest_change=None)
    assert (pulse().oldest_change, pulse().oldest_since_ms) == (7, since)
    worker_stats.beat(valkey, keys, database_ms=1.0, database_error=None, oldest_change=8)
    assert pulse().oldest_since_ms != since
    worker_stats.beat(valkey, keys, database_ms=1.0, database_error=None, oldest_change=None)
    assert pulse().change_age_s == 0.0


def test_what_fails_or_drifts_degrades_health_until_it_is_over_and_leaves_the_server_ready(
    server: WebServer, valkey: redis.Redis, keys: Keys
) -> None:
    def health() -> tuple[int, str, str]:
        worker_stats.beat(valkey, keys, database_ms=1.0, database_error=None, oldest_change=None)
        answer = requests.get(server.url + HEALTH, headers=bearer("t1"), timeout=5)
        body = answer.json()
        return answer.status_code, body["status"], json.dumps(body["components"]["aggregation_service"])

    record(Finding(tenant_id="t7", verdict="drift", lines=("x",)), valkey, keys)
    assert health() == (200, "degraded", '{"status": "degraded", "reason": "drift"}')
    assert requests.get(f"{server.url}/readyz", timeout=5).status_code == 200
    worker_stats.recalculated(computed("failed"), "changes", valkey.pipeline(), keys)
    assert health() == (200, "degraded", '{"status": "degraded", "reason": "computation_failing"}')
    worker_stats.recalculated(computed("changed"), "changes", valkey.pipeline(), keys)
    record(Finding(tenant_id="t7", verdict="clean"), valkey, keys)
    assert health() == (200, "healthy", '{"status": "healthy"}')


def test_without_redis_the_process_still_tells_what_it_knows(keys: Keys) -> None:
    with WebServer(f"redis://127.0.0.1:{free_port()}/0", keys, beating=False) as server:
        eventually(lambda: samples(server).get(("dashboard_stale", "reason=redis_unavailable")) == 1)
        found = samples(server)
    assert found["dashboard_redis_up", ""] == 0
    assert ("dashboard_queue_length", "queue=sweep") not in found


def test_a_process_that_begins_does_not_disturb_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MULTIPROCESS_DIR, str(tmp_path))
    file = tmp_path / "counter_1.db"
    file.touch()
    made = threading.Timer(0.1, lambda: file.write_bytes(bytes(1024)))
    made.start()
    Metrics().exposition()
    made.join()
