"""A change on its way from the database to a socket leaves the time of every stage in /metrics."""

from __future__ import annotations

import requests

from shared.counters import STAGES
from tests.live import Socket
from tests.servers import eventually
from tests.stack import Stack
from web.live.stages import WEB_STAGES


def test_every_stage_of_a_change_is_told() -> None:
    with Stack(env={"WORKER_CONCURRENCY": "1", "DASHBOARD_AUDIT_INTERVAL": "0"}) as stack:
        stack.add_tenant("one")
        stack.sale("one")
        eventually(lambda: stack.db.execute("SELECT count(*) FROM dashboard.change").fetchone(), lambda n: n == (0,))
        with Socket(stack.port, "one") as socket:
            socket.receive_type("dashboard.update")
            stack.sale("one")
            socket.receive_type("dashboard.update")
            # Workers tell when the task has ended, after the client has seen what it made.
            eventually(lambda: requests.get(f"{stack.url}/metrics", timeout=5).text, _tells_every_stage)


def _tells_every_stage(metrics: str) -> bool:
    told = {line.rpartition(" ")[0] for line in metrics.splitlines() if not line.endswith(" 0.0")}
    wanted = {f'dashboard_stage_seconds_count{{stage="{stage}"}}' for stage in STAGES}
    return wanted | {f'dashboard_web_stage_seconds_count{{stage="{stage}"}}' for stage in WEB_STAGES} <= told
