"""The workers' app with faults that no signal can make: `celery -A tests.faults.hooked worker …`.

A tenant of the name POISON ends the process that computes it, as a bug in a C library would. VISIBILITY_S, if set,
stands for the minute after which a silent worker's tasks are given to another one. The task tests.endless never ends.
"""

from __future__ import annotations

import os
import time
from datetime import datetime

from workers import recalculate
from workers.app import app, resources
from workers.facts import TenantFacts
from workers.kpi.dashboard import Dashboard, dashboard

POISON = os.environ.get("POISON", "poison")
ENDLESS = "tests:endless"

if visibility_s := os.environ.get("VISIBILITY_S"):
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "visibility_timeout": int(visibility_s)}


def _dashboard(facts: TenantFacts, *, computed_at: datetime) -> Dashboard:
    if facts.tenant.name == POISON:
        os._exit(1)
    return dashboard(facts, computed_at=computed_at)


recalculate.dashboard = _dashboard  # type: ignore[attr-defined]


@app.task(name="tests.endless", acks_late=False)
def endless() -> None:
    """Says that it has begun, and stays."""
    resources().redis.set(ENDLESS, "begun", ex=60)
    while True:
        time.sleep(60)


__all__ = ["app"]
