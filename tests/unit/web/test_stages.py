"""How long news takes from its notice to the clients: told once by each stage, and never by what is no news."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry

from shared.notices import Notice
from web.live.stages import WEB_STAGES, Stages
from web.ops.metrics import Metrics


def _told(registry: CollectorRegistry, what: str = "count") -> list[float | None]:
    name = f"dashboard_web_stage_seconds_{what}"
    return [registry.get_sample_value(name, {"stage": stage}) for stage in WEB_STAGES]


def test_news_is_told_by_every_stage() -> None:
    metrics = Metrics()
    stages = Stages(metrics.stage_seconds)
    sent = stages.counting(metrics.updates.labels("socket"))
    stages.heard("t", Notice(tenant="t", version="e-1", at=int(1000 * time.time()) - 500))
    stages.fetched("t", news=True)
    sent(time.monotonic())
    sent(time.monotonic())

    assert _told(metrics.registry) == [1, 1, 2]
    notify_s = _told(metrics.registry, "sum")[0]
    assert notify_s is not None
    assert notify_s >= 0.5


def test_what_was_asked_for_without_news_is_counted_as_sent_and_told_by_no_stage() -> None:
    metrics = Metrics()
    stages = Stages(metrics.stage_seconds)
    stages.fetched("t", news=True)
    stages.counting(metrics.updates.labels("socket"))(None)

    assert _told(metrics.registry) == [0, 0, 0]
    assert metrics.registry.get_sample_value("dashboard_updates_total", {"transport": "socket"}) == 1


def test_a_notice_that_says_no_time_and_a_tenant_that_was_left_are_told_by_no_stage() -> None:
    metrics = Metrics()
    stages = Stages(metrics.stage_seconds)
    stages.heard("t", Notice(tenant="t", status="failing"))
    stages.fetched("t", news=True)
    stages.heard("u", Notice(tenant="u", version="e-1", at=1))
    stages.forget("u")
    stages.fetched("u", news=True)

    assert _told(metrics.registry) == [1, 0, 0]


def test_a_clock_that_is_behind_makes_nothing_negative() -> None:
    metrics = Metrics()
    Stages(metrics.stage_seconds).heard("t", Notice(tenant="t", version="e-1", at=int(1000 * time.time()) + 60_000))

    assert _told(metrics.registry, "sum")[0] == 0


def test_what_was_read_before_its_notice_came_is_not_taken_for_the_next_news() -> None:
    metrics = Metrics()
    stages = Stages(metrics.stage_seconds)
    stages.heard("t", Notice(tenant="t", version="e-1", at=1))
    stages.fetched("t", news=False)
    stages.fetched("t", news=True)

    assert _told(metrics.registry) == [1, 0, 0]
