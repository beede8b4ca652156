"""Recalculation over HTTP with a real worker: first snapshots, shared tasks, idempotency keys."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import requests

from cli.running_settings import differing
from shared.running import running_processes
from shared.settings import Settings
from tests.conftest import Services
from tests.days import today
from tests.patience import PATIENCE
from tests.rows import Rows, add_tenant
from tests.servers import WebServer, Worker, eventually
from tests.tokens import bearer
from tests.web_and_worker import web_and_worker

REALTIME = "/api/dashboard/realtime/aggregate/"
RECALCULATE = "/api/dashboard/realtime/recalculate/"


class Daybook:
    """A web process and a worker over one database."""

    def __init__(self, web: WebServer, worker: Worker, db: psycopg.Connection[Any]) -> None:
        self.web = web
        self.worker = worker
        self.db = db

    def tenant(self) -> Rows:
        """A new tenant with one invoice of today."""
        rows = add_tenant(self.db, f"r-{uuid4().hex}")
        rows.invoice(today(), 100)
        return rows

    def get(self, tenant_id: str) -> requests.Response:
        return requests.get(self.web.url + REALTIME, headers=bearer(tenant_id), timeout=10)

    def post(self, tenant_id: str, query: str = "", **headers: str) -> requests.Response:
        address = self.web.url + RECALCULATE + query
        return requests.post(address, headers={**bearer(tenant_id), **headers}, timeout=15)

    def answer(self, tenant_id: str) -> requests.Response:
        """What a recalculation comes to. Whoever waited five seconds for one is told that it is queued, and asks again."""
        return eventually(lambda: self.post(tenant_id), lambda answer: answer.status_code != 202, within_s=15)

    def first_answer(self, **headers: str) -> tuple[Rows, requests.Response]:
        """That of a tenant that was never computed; of another one when it was only queued."""

        def ask() -> tuple[Rows, requests.Response]:
            rows = self.tenant()
            return rows, self.post(rows.tenant_id, **headers)

        return eventually(ask, lambda asked: asked[1].status_code != 202, within_s=15)

    def tasks_sent(self) -> list[str]:
        return [event["task_id"] for event in self.web.events if event["event"] == "task_sent"]


@pytest.fixture(scope="module")
def daybook(services: Services) -> Iterator[Daybook]:
    with web_and_worker(services) as (web, worker, db):
        made = Daybook(web, worker, db)
        # The first task also waits for the worker to start.
        deadline = time.monotonic() + 30 * PATIENCE
        while made.post(made.tenant().tenant_id).status_code != 200:
            assert time.monotonic() < deadline, worker.log
        yield made


def test_the_first_read_of_a_tenant_computes_its_snapshot(daybook: Daybook) -> None:
    tenant_id = daybook.tenant().tenant_id
    answer = eventually(lambda: daybook.get(tenant_id), lambda answer: answer.status_code != 503)
    assert (answer.status_code, answer.json()["user_id"]) == (200, tenant_id)
    revenue = next(m for m in answer.json()["metrics"] if m["name"] == "Daily Revenue")
    assert revenue["value"] == 100


def test_a_tenant_that_the_database_does_not_know_is_not_found(daybook: Daybook) -> None:
    nobody = f"nobody-{uuid4().hex}"
    answer = eventually(lambda: daybook.get(nobody), lambda answer: answer.status_code != 503)
    assert answer.status_code == 404
    answer = daybook.answer(nobody)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_recalculation_answers_as_the_first_api_description_shows(daybook: Daybook) -> None:
    rows, first = daybook.first_answer()
    assert first.status_code == 200
    body = first.json()
    assert set(body) == {"success", "message", "refresh_results", "performance_score", "timestamp"}
    assert (body["success"], body["message"]) == (True, "Dashboard recalculation completed")
    assert body["refresh_results"]["refreshed"] is body["refresh_results"]["changed"] is True
    assert 0 < body["refresh_results"]["duration_seconds"] < 5 * PATIENCE
    before = daybook.get(rows.tenant_id).json()["version"]
    assert daybook.answer(rows.tenant_id).json()["refresh_results"]["changed"] is False
    assert daybook.get(rows.tenant_id).json()["version"] == before
    rows.invoice(today(), 50)
    first = daybook.post(rows.tenant_id)
    if first.status_code == 200:  # on a busy machine it may be queued, and computed before it is asked for again
        assert first.json()["refresh_results"]["changed"] is True
    assert daybook.answer(rows.tenant_id).status_code == 200
    assert daybook.get(rows.tenant_id).json()["version"] != before


def test_requests_in_flight_share_one_task(daybook: Daybook) -> None:
    tenant_id = daybook.tenant().tenant_id
    daybook.worker.pause()
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: daybook.post(tenant_id, "?wait=0"), range(8)))
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["task_id"] for answer in answers}) == 1
        waiting = ThreadPoolExecutor(1).submit(daybook.answer, tenant_id)
    finally:
        daybook.worker.resume()
    assert waiting.result().status_code == 200
    task_id = answers[0].json()["task_id"]
    assert daybook.tasks_sent().count(task_id) == 1
    # What is done is no longer in flight: the next request sees what was committed since.
    assert daybook.post(tenant_id, "?wait=0").json()["task_id"] != task_id


def test_what_takes_too_long_is_queued(daybook: Daybook) -> None:
    tenant_id = daybook.tenant().tenant_id
    daybook.worker.pause()
    try:
        started = time.monotonic()
        answer = daybook.post(tenant_id)
        elapsed_s = time.monotonic() - started
        assert daybook.get(tenant_id).status_code == 503
    finally:
        daybook.worker.resume()
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert 4.9 < elapsed_s < 6.5 * PATIENCE


def test_the_first_snapshot_is_waited_for_two_seconds(daybook: Daybook) -> None:
    tenant_id = daybook.tenant().tenant_id
    daybook.worker.pause()
    try:
        started = time.monotonic()
        answer = daybook.get(tenant_id)
        elapsed_s = time.monotonic() - started
    finally:
        daybook.worker.resume()
    assert (answer.status_code, answer.json()["code"]) == (503, "snapshot_pending")
    assert int(answer.headers["Retry-After"]) >= 1
    assert 1.9 < elapsed_s < 3 * PATIENCE


def test_a_repeated_idempotency_key_gets_the_stored_answer_and_no_task(daybook: Daybook) -> None:
    key = {"Idempotency-Key": "order 66"}
    rows, first = daybook.first_answer(**key)
    sent = len(daybook.tasks_sent())
    rows.invoice(today(), 50)
    again = daybook.post(rows.tenant_id, **key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert len(daybook.tasks_sent()) == sent
    assert daybook.post(rows.tenant_id, "?wait=0", **key).content == first.content
    other = daybook.tenant().tenant_id
    assert daybook.post(other, **key).content != first.content
    assert daybook.post(rows.tenant_id, **{"Idempotency-Key": "order 67"}).content != first.content


def test_the_same_key_at_the_same_time_is_one_task_and_one_answer(daybook: Daybook) -> None:
    tenant_id = daybook.tenant().tenant_id
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: daybook.post(tenant_id, **{"Idempotency-Key": "k"}), range(6)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("key", ["", "a" * 256, "tab\there", "caf\xe9"])
def test_an_idempotency_key_is_printable_and_short(daybook: Daybook, key: str) -> None:
    answer = daybook.post("anyone", **{"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")


def test_one_id_leads_from_the_request_to_the_task(daybook: Daybook) -> None:
    tenant_id = daybook.tenant().tenant_id
    given = f"trace-{uuid4().hex}"
    assert daybook.post(tenant_id, **{"X-Request-ID": given}).status_code in (200, 202)
    sent = [e for e in daybook.web.events if e["event"] == "task_sent" and e.get("request_id") == given]
    assert len(sent) == 1


def test_the_log_says_how_long_a_recalculation_took_and_waited(daybook: Daybook) -> None:
    daybook.first_answer()
    line = next(json.loads(line) for line in daybook.worker.log.splitlines() if '"event":"recalculated"' in line)
    assert line["queue"] == "commands"
    assert 0 < line["ms"] < 20_000
    assert isinstance(line["queued_ms"], int)


def test_running_processes_say_with_which_settings(daybook: Daybook) -> None:
    keys, redis_url = daybook.web.keys, daybook.web.redis_url
    found = eventually(
        lambda: {one.name: one for one in running_processes(daybook.web.client, keys)}, lambda found: len(found) == 2
    )
    assert found["web"].settings["JWT_SECRET_KEY"] == "***"
    assert "DATABASE_URL" not in found["web"].settings
    assert found["celery"].settings["DATABASE_URL"].startswith("postgresql://")
    assert found["celery"].pid == daybook.worker.process.pid

    here = {
        "REDIS_URL": redis_url,
        "DATABASE_URL": "postgresql://elsewhere/db",
        "DASHBOARD_KEY_PREFIX": keys.prefix,
        "PORT": str(daybook.web.port),
    }
    here["DASHBOARD_COLD_DELAY"] = "0"
    lines = list(differing(here, Settings.from_env(here, role="cli")))
    assert [line for line in lines if "=" in line] == [
        f"#   DATABASE_URL={found['celery'].settings['DATABASE_URL']}",
        "#   PORT=8000",
        "#   JWT_SECRET_KEY=***",
    ]
