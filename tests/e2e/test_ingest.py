"""Documents handed to a real worker as a task."""

from __future__ import annotations

import json
from typing import Any

import psycopg
from celery import Celery

from shared.broker import celery_options, celery_url
from shared.keys import Keys
from shared.settings import Settings
from tests.conftest import Services
from tests.servers import Worker, eventually


def test_a_task_writes_documents_and_tells_what_it_refused(
    services: Services, database_url: str, db: psycopg.Connection[Any], keys: Keys
) -> None:
    settings = Settings(redis_url=services.redis_url, key_prefix=keys.prefix)
    url = celery_url(settings)
    app = Celery("daybook-tests", broker=url, backend=url, set_as_current=False)
    app.conf.broker_transport_options = app.conf.result_backend_transport_options = celery_options(settings)
    lines = [{"table": "tenant", "tenant_id": "t1", "timezone": "UTC", "base_currency": "EUR"}, {"table": "nothing"}]
    with Worker(services.redis_url, database_url, keys) as worker:
        text = "\n".join([*map(json.dumps, lines), '{"table": "tenant\ud800"}'])
        sent = app.send_task("dashboard.ingest", args=[text], queue="commands")
        eventually(lambda: '"event":"ingested"' in worker.log, within_s=40.0)
        result = sent.get(timeout=40)
    assert (result["written"], result["deleted"], result["unchanged"], result["refused"]) == (1, 0, 0, 2)
    assert [one["line"] for one in result["refusals"]] == [2, 3]
    assert result["refusals"][1]["reason"] == "the line is not UTF-8"
    assert db.execute("SELECT tenant_id FROM dashboard.change").fetchall() == [("t1",)]
