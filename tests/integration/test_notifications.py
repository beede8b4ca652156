"""The notification socket and the alert routes with a real web process, a real worker, PostgreSQL and Valkey."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import requests
from celery import Celery

from cli.local.embedded import Valkey, free_port
from shared.broker import celery_options, celery_url
from shared.keys import Keys
from shared.settings import Settings
from tests.conftest import TEMPLATE, Services
from tests.days import today
from tests.live import Socket
from tests.patience import PATIENCE
from tests.rows import Rows, add_tenant
from tests.servers import WebServer, Worker, eventually
from tests.tokens import bearer, token

PATH = "/ws/dashboard/notifications/{}/"
_numbers = itertools.count(1)


@dataclass
class System:
    """Web process and worker over one database."""

    web: WebServer
    database_url: str

    @contextmanager
    def tenant(self) -> Iterator[Business]:
        """A new tenant that has been computed: nothing to tell but that it is its first day, acknowledged."""
        tenant_id = f"n{next(_numbers)}-{uuid.uuid4().hex[:8]}"
        with psycopg.connect(self.database_url, autocommit=True) as db:
            rows = add_tenant(db, tenant_id)
            rows.close(today() - timedelta(days=1))
            business = Business(self, rows)
            business.recalculate()
            yield business

    def send(self, task: str, *args: Any, task_id: str | None = None) -> Any:
        """The result of a task, run by the worker."""
        settings = Settings(redis_url=self.web.redis_url, key_prefix=self.web.keys.prefix)
        app = Celery(set_as_current=False)
        app.conf.update(
            broker_url=celery_url(settings),
            broker_transport_options=celery_options(settings),
            result_backend=celery_url(settings),
            result_backend_transport_options=celery_options(settings),
        )
        return app.send_task(task, args=args, task_id=task_id, queue="commands").get(timeout=20 * PATIENCE)


@dataclass
class Business:
    """One tenant of the system."""

    system: System
    rows: Rows

    @property
    def id(self) -> str:
        return self.rows.tenant_id

    def connect(self, subject: str = "eva") -> Socket:
        """A notification socket of one of its people; it has been greeted."""
        jwt = token(subject, tenant_id=self.id)
        socket = Socket(self.system.web.port or 0, self.id, jwt=jwt, path=PATH)
        assert socket.receive()["type"] == "notifications.connected"
        return socket

    def ask(self, method: str, path: str, *, subject: str = "eva", **rest: Any) -> requests.Response:
        headers = bearer(subject, tenant_id=self.id)
        return requests.request(
            method, f"{self.system.web.url}/api/dashboard{path}", headers=headers, timeout=20 * PATIENCE, **rest
        )

    def recalculation(self) -> requests.Response:
        """What a recalculation comes to. Whoever waited five seconds for one is told that it is queued, and asks again."""
        return eventually(lambda: self.ask("POST", "/realtime/recalculate/"), lambda answer: answer.status_code != 202)

    def recalculate(self) -> None:
        answer = self.recalculation()
        assert answer.status_code == 200, answer.text

    def lose(self, amount: int = 100) -> None:
        """Today's profit falls below zero, and the tenant is computed: a critical alert."""
        self.rows.expense(today(), amount)
        self.recalculate()

    def gain(self) -> None:
        """Nothing was lost after all."""
        self.rows.db.execute("DELETE FROM dashboard.expense WHERE tenant_id = %s", [self.id])
        self.recalculate()

    def be_owed(self, invoices: int = 6) -> None:
        """So many overdue invoices: a warning if there are more than five. They hold nothing but tax, so that no closed
        month changes by them."""
        for _ in range(invoices):
            self.rows.invoice(today() - timedelta(days=60), 10, tax=10, due_date=today() - timedelta(days=30))
        self.recalculate()

    def listed(self, **filters: str) -> list[dict[str, Any]]:
        answer = self.ask("GET", "/alerts/", params=filters)
        assert answer.status_code == 200, answer.text
        alerts: list[dict[str, Any]] = answer.json()["alerts"]
        return alerts

    def state(self, alert_id: str) -> str:
        return next(str(alert["state"]) for alert in self.listed() if alert["id"] == alert_id)


@pytest.fixture(scope="module")
def system(services: Services) -> Iterator[System]:
    name = f"notifications_{uuid.uuid4().hex[:12]}"
    keys = Keys(f"n{uuid.uuid4().hex[:12]}")
    with psycopg.connect(services.postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        url = services.database_url(name)
        kinds = ("REQUESTS", "REQUESTS_PER_USER", "RECALCULATIONS")
        env = {f"DASHBOARD_RATE_{kind}": "100000/minute" for kind in kinds}
        with WebServer(services.redis_url, keys, env=env) as web, Worker(services.redis_url, url, keys):
            yield System(web, url)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def business(system: System) -> Iterator[Business]:
    with system.tenant() as made:
        yield made


@pytest.fixture
def other(system: System) -> Iterator[Business]:
    with system.tenant() as made:
        yield made


def silent(socket: Socket) -> bool:
    """Whether nothing but the answer to a ping arrives: whatever was sent before it would come first."""
    socket.send({"type": "ping"})
    return bool(socket.receive()["type"] == "pong")


def told(socket: Socket, count: int) -> list[tuple[str, str]]:
    """The next messages: type and level of their alert."""
    return [(message["type"], message["alert"]["level"]) for message in (socket.receive() for _ in range(count))]


def test_an_alert_comes_and_goes_before_everybodys_eyes(business: Business) -> None:
    with business.connect("eva") as eva, business.connect("adam") as adam:
        business.lose()
        new = [socket.receive() for socket in (eva, adam)]
        assert {message["type"] for message in new} == {"alert.new"}
        assert new[0]["alert"] == new[1]["alert"] == business.listed()[0]
        assert "replay" not in new[0]
        business.lose(50)
        updated = eva.receive()
        assert (updated["type"], updated["alert"]["id"]) == ("alert.updated", new[0]["alert"]["id"])
        assert updated["alert"]["message"] == "Today's profit is -150.00 USD so far."
        business.gain()
        assert eva.receive()["type"] == "alert.cleared"
        business.lose()
        again = eva.receive()
        assert (again["type"], again["alert"]["id"], again["alert"]["state"]) == (
            "alert.updated",
            new[0]["alert"]["id"],
            "open",
        )


def test_who_connects_hears_of_what_is_open_the_most_severe_first(business: Business) -> None:
    business.be_owed()
    business.lose()
    with business.connect() as socket:
        messages = [socket.receive() for _ in range(2)]
        assert [message["alert"]["level"] for message in messages] == ["critical", "warning"]
        assert all(message["type"] == "alert.new" and message["replay"] is True for message in messages)
        assert silent(socket)


def test_an_acknowledgement_is_seen_by_every_socket_of_the_tenant_and_never_replayed(business: Business) -> None:
    business.lose()
    with business.connect("eva") as eva, business.connect("adam") as adam:
        alert_id = eva.receive()["alert"]["id"]
        adam.receive()
        eva.send({"type": "acknowledge", "alert_id": alert_id})
        for socket in (eva, adam):
            message = socket.receive()
            assert message["type"] == "alert.acknowledged"
            assert (message["alert"]["state"], message["alert"]["acknowledged_by"]) == ("acknowledged", "eva")
        # Once more: the answer is the same, and nobody else is bothered.
        adam.send({"type": "acknowledge", "alert_id": alert_id})
        assert adam.receive()["alert"]["acknowledged_by"] == "eva"
        assert silent(eva)
    with business.connect("adam") as late:
        assert silent(late)
    assert business.state(alert_id) == "acknowledged"


def test_an_acknowledgement_over_rest_reaches_the_sockets(business: Business) -> None:
    business.lose()
    with business.connect() as socket:
        alert_id = socket.receive()["alert"]["id"]
        answer = business.ask("POST", f"/alerts/{alert_id}/acknowledge/", subject="adam")
        assert (answer.status_code, answer.json()) == (202, {"success": True, "alert_id": alert_id})
        message = socket.receive()
        assert (message["type"], message["alert"]["acknowledged_by"]) == ("alert.acknowledged", "adam")


def test_nothing_of_one_tenant_reaches_another(business: Business, other: Business) -> None:
    with business.connect() as mine, other.connect() as theirs:
        business.lose()
        alert_id = mine.receive()["alert"]["id"]
        for message in (
            {"type": "acknowledge", "alert_id": alert_id},
            {"type": "snooze", "alert_id": alert_id, "minutes": 5},
        ):
            theirs.send(message)
            assert theirs.receive()["code"] == "not_found"
        assert silent(theirs)
        assert silent(mine)
    assert business.state(alert_id) == "open"
    assert other.ask("POST", f"/alerts/{alert_id}/acknowledge/").status_code == 404
    assert other.ask("POST", f"/alerts/{alert_id}/snooze/", json={"minutes": 5}).status_code == 404
    assert other.listed() == []


def test_an_alert_that_nobody_knows_is_not_found_and_malformed_messages_change_nothing(business: Business) -> None:
    for bad in (
        {"type": "acknowledge", "alert_id": "nothing"},
        {"type": "acknowledge"},
        {"type": "acknowledge", "alert_id": 7},
        {"type": "snooze", "alert_id": "nothing", "minutes": 5},
    ):
        with business.connect() as socket:
            socket.send(bad)
            assert socket.receive()["type"] == "error"
            assert silent(socket)
    with business.connect() as socket:
        for _ in range(3):
            socket.send({"type": "acknowledge", "alert_id": "nothing"})
        assert socket.closed() == 4429


def test_a_snoozed_alert_is_quiet_and_comes_back_by_itself(business: Business) -> None:
    business.lose()
    with business.connect("eva") as eva, business.connect("adam") as adam:
        alert_id = eva.receive()["alert"]["id"]
        adam.receive()
        until = datetime.now(UTC) + timedelta(seconds=5)
        eva.send({"type": "snooze", "alert_id": alert_id, "until": until.isoformat()})
        assert [socket.receive()["type"] for socket in (eva, adam)] == ["alert.snoozed"] * 2
        with business.connect() as late:
            assert silent(late)
            for socket in (eva, adam, late):
                message = socket.receive()
                assert (message["type"], message["alert"]["state"]) == ("alert.updated", "open")
                assert message["timestamp"] >= message["alert"]["snoozed_until"]


SNOOZES: list[tuple[dict[str, Any], str | None]] = [
    ({"minutes": 1}, None),
    ({"minutes": 10_080}, None),
    ({"minutes": 0}, "out_of_range"),
    ({"minutes": 10_081}, "out_of_range"),
    ({"minutes": 1.5}, "invalid_message"),
    ({"minutes": "5"}, "invalid_message"),
    ({"minutes": True}, "invalid_message"),
    ({}, "out_of_range"),
    ({"minutes": 5, "until": "2999-01-01T00:00:00Z"}, "out_of_range"),
    ({"until": "2999-01-01T00:00:00Z"}, "out_of_range"),
    ({"until": "2020-01-01T00:00:00Z"}, "out_of_range"),
    ({"until": "9999-12-31T23:59:59-23:59"}, "out_of_range"),
    ({"until": "2026-03-11T10:00:00"}, "invalid_message"),
    ({"until": "tomorrow"}, "invalid_message"),
    ({"minutes": 5, "loudly": True}, "invalid_message"),
]


@pytest.mark.parametrize(("body", "refusal"), SNOOZES)
def test_a_snooze_is_by_minutes_or_until_a_moment_within_seven_days(
    business: Business, body: dict[str, Any], refusal: str | None
) -> None:
    business.lose()
    with business.connect() as socket:
        alert_id = socket.receive()["alert"]["id"]
        socket.send({"type": "snooze", "alert_id": alert_id, **body})
        answer = socket.receive()
        assert answer.get("code") == refusal
        assert answer["type"] == ("error" if refusal else "alert.snoozed")
    rest = business.ask("POST", f"/alerts/{alert_id}/snooze/", json=body)
    assert rest.status_code == (400 if refusal else 202), rest.text


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b"\xff", b'{"minutes": NaN}', b'{"minutes": 5, "minutes": 6}']
)
def test_a_snooze_without_a_proper_body_is_a_bad_request(business: Business, body: bytes) -> None:
    business.lose()
    alert_id = business.listed()[0]["id"]
    answer = business.ask("POST", f"/alerts/{alert_id}/snooze/", data=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_body")
    assert business.state(alert_id) == "open"


def test_a_subscription_is_kept_for_the_person_on_all_sockets_now_and_later(business: Business) -> None:
    business.be_owed()
    with business.connect("eva") as one, business.connect("eva") as two, business.connect("adam") as adam:
        for socket in (one, two, adam):
            assert told(socket, 1) == [("alert.new", "warning")]
        wanted = {"levels": ["critical"], "metrics": ["Daily Profit", "Cash Flow"]}
        one.send({"type": "subscribe", "subscription": wanted})
        for socket in (one, two):
            message = socket.receive()
            assert message["type"] == "subscription.updated"
            assert message["subscription"] == {"levels": ["critical"], "metrics": ["Daily Profit", "Cash Flow"]}
        business.be_owed(1)  # an update of the warning
        business.lose()
        assert told(one, 1) == told(two, 1) == [("alert.new", "critical")]
        assert sorted(told(adam, 2)) == [("alert.new", "critical"), ("alert.updated", "warning")]
    with business.connect("eva") as later:
        assert told(later, 1) == [("alert.new", "critical")]
        later.send({"type": "subscribe", "subscription": wanted})
        assert later.receive()["type"] == "subscription.updated"
        later.send({"type": "subscribe", "subscription": {}})
        assert later.receive()["subscription"] == {"levels": None, "metrics": None}
        message = later.receive()
        assert (message["type"], message["alert"]["level"], message["replay"]) == ("alert.new", "warning", True)


@pytest.mark.parametrize(
    "subscription",
    [
        None,
        [],
        {"levels": "critical"},
        {"levels": ["loud"]},
        {"metrics": ["Weather"]},
        {"levels": [None]},
        {"volume": 11},
    ],
)
def test_a_malformed_subscription_is_an_error_and_nothing_changes(business: Business, subscription: object) -> None:
    with business.connect() as socket:
        socket.send({"type": "subscribe", "subscription": subscription})
        assert (message := socket.receive())["type"] == "error", message
        assert message["code"] == "invalid_message"
        business.be_owed()
        assert told(socket, 1) == [("alert.new", "warning")]


def test_reconnecting_in_the_middle_of_a_burst_misses_and_repeats_nothing(business: Business) -> None:
    """After each step the client goes away; whatever happens then, it ends up showing what is open."""
    shown: dict[str, str] = {}
    acknowledged: set[str] = set()
    steps: list[Callable[[], None]] = [
        business.lose, business.be_owed, business.gain, lambda: business.lose(7), lambda: business.be_owed(2),
        business.gain, business.lose,
    ]  # fmt: skip
    for number, step in enumerate(steps):
        with business.connect() as socket:
            shown = {}
            socket.send({"type": "ping"})
            while (message := socket.receive())["type"] != "pong":
                assert message["alert"]["id"] not in acknowledged
                assert message["replay"] is True
                shown[message["alert"]["id"]] = message["alert"]["message"]
            assert shown == {alert["id"]: alert["message"] for alert in business.listed(state="open")}
            if number == 3:
                warning = business.listed(state="open", level="warning")[0]["id"]
                socket.send({"type": "acknowledge", "alert_id": warning})
                acknowledged.add(warning)
                assert socket.receive()["type"] == "alert.acknowledged"
        step()
    assert len(business.listed()) == 2


def test_announcements_reach_everybody_or_one_tenant_and_each_once(
    system: System, business: Business, other: Business
) -> None:
    with business.connect() as mine, other.connect() as theirs:
        assert system.send("dashboard.announce", "Back at noon", None, "critical", task_id="once") >= 1
        system.send("dashboard.announce", "Back at noon", None, "critical", task_id="once")
        for socket in (mine, theirs):
            message = socket.receive()
            assert (message["type"], message["message"], message["level"]) == (
                "notification.new",
                "Back at noon",
                "critical",
            )
            assert message["id"] == "once"
            assert message["timestamp"].endswith("Z")
        system.send("dashboard.announce", "Only you", business.id)
        assert mine.receive()["message"] == "Only you"
        assert silent(theirs)


def test_the_list_is_newest_first_filtered_and_in_pages(system: System, business: Business) -> None:
    now = datetime.now(UTC)
    with business.rows.db.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO dashboard.alert (tenant_id, alert_id, rule, subject, local_date, level, message, metric,
                                            action_required, provisional, raised_at, cleared_at)
            VALUES (%s, %s, 'overdue_count', 's', %s, %s, 'm', 'Overdue Invoices', true, false, %s, %s)""",
            [
                (business.id, f"a{number:03}", now.date(), "warning" if number % 2 else "info",
                 now - timedelta(minutes=number // 2), now)
                for number in range(230)
            ],
        )  # fmt: skip
    business.rows.db.execute("UPDATE dashboard.alert_board SET revision = revision + 1")
    business.rows.db.execute(
        "INSERT INTO dashboard.alert_board (tenant_id, revision) VALUES (%s, 1) ON CONFLICT DO NOTHING", [business.id]
    )
    business.recalculate()
    pages, address = [], f"{system.web.url}/api/dashboard/alerts/?state=cleared"
    while address:
        body = requests.get(address, headers=bearer("eva", tenant_id=business.id), timeout=10).json()
        pages.append([alert["id"] for alert in body["alerts"]])
        address = body["next"]
    assert [len(page) for page in pages] == [100, 100, 30]
    assert [alert_id for page in pages for alert_id in page] == [f"a{number:03}" for number in range(230)]
    assert {alert["level"] for alert in business.listed(level="info")} == {"info"}
    assert business.listed(state="open") == business.listed(metric="Cash Flow") == []


@pytest.mark.parametrize(
    "given", ["state=gone", "level=loud", "metric=Weather", "cursor=%00", "cursor=x", "cursor=WyJhIl0", "page=2",
              "state=open&state=open"],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_is_a_bad_request_that_names_it(business: Business, given: str) -> None:
    answer = business.ask("GET", f"/alerts/?{given}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    assert given.partition("=")[0] in answer.json()["detail"]


def test_the_alert_routes_want_a_token_and_an_existing_tenant(system: System, business: Business) -> None:
    for method, path in (("GET", "/alerts/"), ("POST", "/alerts/x/acknowledge/"), ("POST", "/alerts/x/snooze/")):
        address = f"{system.web.url}/api/dashboard{path}"
        assert requests.request(method, address, timeout=10).status_code == 401
        nobody = requests.request(method, address, headers=bearer("nobody"), data=b'{"minutes": 1}' * ("snooze" in path),
                                  timeout=10)  # fmt: skip
        assert nobody.status_code == 404


def test_a_socket_needs_its_own_tenants_address(business: Business, other: Business) -> None:
    with pytest.raises(AssertionError, match="404"):
        Socket(business.system.web.port or 0, other.id, jwt=token("eva", tenant_id=business.id), path=PATH)


def test_alerts_are_counted_for_prometheus_without_a_tenants_name(system: System, business: Business) -> None:
    business.lose()
    business.ask("POST", f"/alerts/{business.listed()[0]['id']}/acknowledge/")
    eventually(lambda: business.listed(state="acknowledged"))
    business.gain()
    text = eventually(
        lambda: requests.get(f"{system.web.url}/metrics", timeout=10).text,
        lambda found: 'dashboard_alerts_raised_total{rule="profit_floor"} 0.0' not in found,
    )
    for name in ("dashboard_alerts_raised_by_level_total", "dashboard_alert_acknowledged_seconds_count"):
        assert name in text
    assert business.id not in text


def test_an_alert_raised_while_redis_restarts_empty_is_delivered(
    services: Services, system: System, tmp_path: Path
) -> None:
    """Redis dies between the alert and its delivery, and comes back without anything."""
    tmp_path.chmod(0o755)
    keys = Keys("restart")
    valkey = Valkey(data_dir=tmp_path / "valkey", port=free_port(), append_only=False)
    valkey.start()
    try:
        with (
            WebServer(valkey.url(), keys) as web,
            Worker(valkey.url(), system.database_url, keys),
            System(web, system.database_url).tenant() as business,
            business.connect() as socket,
        ):
            business.be_owed()
            assert told(socket, 1) == [("alert.new", "warning")]
            business.rows.expense(today(), 100)
            with redis.Redis.from_url(valkey.url()) as client:
                client.config_set("save", "")
            valkey.stop()
            valkey.start()
            # Nobody tells the workers: the socket's own process finds that Redis lost everything.
            alert = socket.receive_type("alert.new", within_s=30)["alert"]
            assert alert["level"] == "critical"
            eventually(lambda: business.ask("GET", "/alerts/").status_code, lambda status: status == 200)
            assert silent_but_for_status(socket)
    finally:
        valkey.stop()


def silent_but_for_status(socket: Socket) -> bool:
    socket.send({"type": "ping"})
    while (message := socket.receive())["type"] == "dashboard.status":
        continue
    return bool(message["type"] == "pong")


def test_a_socket_of_a_tenant_that_is_deleted_is_closed(business: Business) -> None:
    with business.connect() as socket:
        business.rows.db.execute("DELETE FROM dashboard.tenant WHERE tenant_id = %s", [business.id])
        assert business.recalculation().status_code == 404
        assert socket.closed() == 4403


def test_a_board_that_cannot_be_read_is_as_good_as_none(system: System) -> None:
    """Workers of a later release may have written it."""
    with system.tenant() as business, system.tenant() as other:
        for one in (business, other):
            one.lose()
        body = b'{"alerts":[{"level":"of a later release"}]}'
        system.web.client.hset(system.web.keys.alerts(business.id), "body", body)
        answer = business.ask("GET", "/alerts/")
        assert (answer.status_code, answer.json()["code"]) == (503, "alerts_pending")
        with business.connect() as socket, other.connect() as untouched:
            assert untouched.receive_type("alert.new")["alert"]["level"] == "critical"
            socket.send({"type": "ping"})
            assert socket.receive()["type"] == "pong"
            business.be_owed()
            assert socket.receive_type("alert.new")["alert"]["level"] == "critical"
