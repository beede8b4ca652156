"""packages/python against real servers: it reconnects, resumes, renews its token, and never goes back."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from packages.python.daybook_client import BASE_DELAY_S, MAX_DELAY_S, Daybook, ProblemError, delay_s, is_newer
from shared.keys import Keys
from tests.conftest import Services
from tests.patience import PATIENCE
from tests.servers import WebServer, eventually
from tests.tokens import token

TRANSPORTS = ["updates", "socket_updates"]
Follow = Callable[..., "queue.Queue[Any]"]
WITHIN_S = 20.0 * PATIENCE


@pytest.fixture
def own_web(services: Services, keys: Keys) -> Iterator[WebServer]:
    """A server that the test may stop."""
    with WebServer(services.redis_url, keys) as server:
        yield server


@pytest.fixture
def sparing_web(services: Services, keys: Keys) -> Iterator[WebServer]:
    """A server that lets a tenant open one stream in two seconds."""
    with WebServer(services.redis_url, keys, env={"DASHBOARD_RATE_STREAMS": "1/2second"}) as server:
        yield server


@pytest.fixture
def tenant(web: WebServer) -> str:
    tenant_id = f"client-{uuid.uuid4().hex}"
    web.write(tenant_id, value=1)
    return tenant_id


@dataclass
class Reader:
    """Reads an endless iterator in a thread of its own: what it gives, or the problem that ends it, is put into `found`."""

    web: WebServer
    tenant_id: str
    client: Daybook
    updates: Iterator[dict[str, Any]]
    found: queue.Queue[Any] = field(default_factory=queue.Queue)
    enough: bool = False

    def start(self) -> None:
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def stop(self) -> None:
        """One more update ends it."""
        self.enough = True
        self.web.write(self.tenant_id, last=uuid.uuid4().hex)
        self.thread.join(WITHIN_S)
        assert not self.thread.is_alive()
        self.client.close()

    def _read(self) -> None:
        with contextlib.closing(self.updates) as updates:  # type: ignore[type-var]
            try:
                for update in updates:
                    if self.enough:
                        return
                    self.found.put(update)
            except ProblemError as problem:
                self.found.put(problem)


@pytest.fixture
def follow() -> Iterator[Follow]:
    """`follow(web, tenant, token, transport)`: the queue of what a client's iterator gives."""
    readers: list[Reader] = []

    def start(
        web: WebServer, tenant_id: str, credential: str | Callable[[], str], transport: str = "updates", **options: Any
    ) -> queue.Queue[Any]:
        client = Daybook(web.url, credential)
        readers.append(Reader(web, tenant_id, client, getattr(client, transport)(**options)))
        readers[-1].start()
        return readers[-1].found

    yield start
    for reader in readers:
        reader.stop()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_updates_come_as_they_are_written(web: WebServer, tenant: str, transport: str, follow: Follow) -> None:
    updates = follow(web, tenant, token(tenant), transport, interval_s=300)
    assert updates.get(timeout=WITHIN_S)["value"] == 1
    version = web.write(tenant, value=2)
    second = updates.get(timeout=WITHIN_S)
    assert (second["value"], second["version"]) == (2, str(version))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_client_outlives_a_restart_and_gets_each_version_once(
    own_web: WebServer, tenant: str, transport: str, follow: Follow
) -> None:
    own_web.write(tenant, value=1)
    updates = follow(own_web, tenant, token(tenant), transport)
    assert updates.get(timeout=WITHIN_S)["value"] == 1
    own_web.stop()
    own_web.start()
    own_web.write(tenant, value=2)
    # The first version is there again after the reconnect; it is not handed out again.
    assert updates.get(timeout=WITHIN_S)["value"] == 2
    assert updates.empty()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_token_that_runs_out_is_renewed(web: WebServer, tenant: str, transport: str, follow: Follow) -> None:
    lifetimes_s = itertools.chain([2], itertools.repeat(3600))
    given: list[str] = []

    def fresh() -> str:
        given.append(token(tenant, ttl_s=next(lifetimes_s)))
        return given[-1]

    updates = follow(web, tenant, fresh, transport)
    assert updates.get(timeout=WITHIN_S)["value"] == 1
    eventually(lambda: len(given), lambda count: count == 2)
    web.write(tenant, value=2)
    assert updates.get(timeout=WITHIN_S)["value"] == 2
    assert len(given) == 2


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_token_that_runs_out_and_cannot_be_renewed_ends_it(
    web: WebServer, tenant: str, transport: str, follow: Follow
) -> None:
    updates = follow(web, tenant, token(tenant, ttl_s=4), transport)
    assert updates.get(timeout=WITHIN_S)["value"] == 1
    problem = updates.get(timeout=WITHIN_S)
    assert (problem.status, problem.code) == (401, "token_expired")


def test_a_source_of_bad_tokens_is_not_asked_for_ever(web: WebServer, tenant: str, follow: Follow) -> None:
    given: list[str] = []

    def bad() -> str:
        given.append(token(tenant, secret="another secret of more than 32 bytes"))
        return given[-1]

    problem = follow(web, tenant, bad).get(timeout=WITHIN_S)
    assert (problem.status, len(given)) == (401, 2)


def test_a_refusal_says_what_and_where_to_look(web: WebServer, tenant: str) -> None:
    with pytest.raises(ProblemError) as refused, Daybook(web.url, "no token") as client:
        client.snapshot()
    assert (refused.value.status, refused.value.code) == (401, "token_invalid")
    assert str(refused.value.request_id) in web.log
    with pytest.raises(ProblemError) as refused, Daybook(web.url, token(tenant)) as client:
        client.ticket("/elsewhere")
    assert (refused.value.status, refused.value.code) == (400, "bad_path")


def test_answers_that_need_no_worker(web: WebServer, tenant: str) -> None:
    with Daybook(web.url + "/", token(tenant)) as client:
        assert client.snapshot()["value"] == client.overview()["value"] == 1
        assert client.health()["status"] == "healthy"
        assert client.ticket("/api/dashboard/streaming/aggregate/")


def test_a_refused_stream_waits_as_long_as_it_is_told(sparing_web: WebServer, tenant: str, follow: Follow) -> None:
    sparing_web.write(tenant, value=1)
    for _ in range(2):
        assert follow(sparing_web, tenant, token(tenant)).get(timeout=WITHIN_S)["value"] == 1
    statuses = [event["status"] for event in sparing_web.events if "streaming" in event.get("path", "")]
    assert 1 <= statuses.count(429) <= 2


@pytest.mark.parametrize(
    ("version", "held", "expected"),
    [
        ("a-1", None, True),
        ("a-2", "a-1", True),
        ("a-10", "a-9", True),
        ("b-1", "a-9", True),
        ("a-1", "a-1", False),
        ("a-1", "a-2", False),
    ],
)
def test_a_version_follows_a_lower_one_of_its_epoch_or_any_other_epoch(
    version: str, held: str | None, expected: bool
) -> None:
    assert is_newer(version, held) is expected


def test_waiting_time_is_a_random_share_of_a_doubling_bound() -> None:
    for attempt, bound in [(0, BASE_DELAY_S), (1, 2 * BASE_DELAY_S), (3, 8 * BASE_DELAY_S), (1000, MAX_DELAY_S)]:
        waits = [delay_s(attempt) for _ in range(200)]
        assert 0 <= min(waits) < bound / 2 < max(waits) <= bound
