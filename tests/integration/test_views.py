"""A view on every way out: what it hides is searched for in the raw bytes that somebody with it receives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import requests

from tests.compressing import CompressingSocket
from tests.conftest import Services
from tests.days import today
from tests.live import Events, Socket
from tests.rows import Rows, add_tenant
from tests.servers import WebServer, Worker, eventually
from tests.tokens import bearer, token
from tests.web_and_worker import web_and_worker

DAY = timedelta(days=1)
API = "/api/dashboard/"
NOTIFICATIONS = "/ws/dashboard/notifications/{}/"
VIEWS = """
[views.operations]
metrics = ["Pending Invoices", "Overdue Invoices", "Client Activity"]
overview = ["receivables", "months"]
alerts = ["Overdue Invoices"]

[views."営業 \\"A\\""]
metrics = ["Daily Revenue"]

[views.sales]
metrics = ["Daily Revenue"]
overview = ["top_clients", "periods"]
"""
SECRET = 731_731
# What operations must never see: expenses of today once and twice in whatever spelling, a supplier, names of what is hidden.
HIDDEN = (
    *(spelling.format(amount) for amount in (SECRET, 2 * SECRET) for spelling in ("{}", "{:,}", "{:_}", "{:e}")),
    *("Landlord", "Daily Profit", "Daily Expenses", "Daily Revenue", "Cash Flow", "Quote Conversion"),
    *("profit", "expenses", "revenue"),
)
SHOWN = "617"


class House:
    """A web process that knows views, a worker, and one tenant with a loss today and six invoices overdue."""

    def __init__(self, web: WebServer, worker: Worker, db: psycopg.Connection[Any]) -> None:
        self.web, self.worker = web, worker
        self.rows: Rows = add_tenant(db, f"v-{uuid4().hex}")
        self.rows.close(today() - DAY)
        for number in range(6):
            self.rows.invoice(today() - 60 * DAY, 617, client_id="c", reference=f"INV-{number}")
        self.rows.expense(today(), SECRET, vendor="Landlord", category="Landlord", reference="Landlord")

    @property
    def tenant_id(self) -> str:
        return self.rows.tenant_id

    def token(self, view: str | None = "operations", subject: str = "staff") -> str:
        return token(subject, tenant_id=self.tenant_id, dashboard_view=view)

    def ask(self, path: str, view: str | None = "operations", method: str = "GET", **headers: str) -> requests.Response:
        def once() -> requests.Response:
            given = {**bearer("staff", tenant_id=self.tenant_id, dashboard_view=view), **headers}
            return requests.request(method, f"{self.web.url}{API}{path}", headers=given, timeout=15)

        return eventually(once, lambda answer: answer.status_code not in (202, 503), within_s=20)


@pytest.fixture(scope="module")
def house(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    file: Path = tmp_path_factory.mktemp("views") / "views.toml"
    file.write_text(VIEWS, encoding="utf-8")
    with web_and_worker(services, env={"DASHBOARD_VIEWS": str(file)}) as started:
        made = House(*started)
        assert made.ask("realtime/recalculate/", None, "POST").status_code == 200
        yield made


def nothing_hidden(*received: bytes | str) -> None:
    for one in received:
        text = one if isinstance(one, str) else one.decode()
        assert [secret for secret in HIDDEN if secret in text] == []


def raw(answer: requests.Response) -> str:
    """Headers and body as they came."""
    return f"{answer.headers}\n{answer.text}"


def test_rest_shows_what_the_view_names(house: House) -> None:
    snapshot, overview = house.ask("realtime/aggregate/"), house.ask("overview/")
    nothing_hidden(raw(snapshot), raw(overview))
    assert {answer.headers["Content-Encoding"] for answer in (snapshot, overview)} == {"gzip"}
    body = snapshot.json()
    assert [metric["name"] for metric in body["metrics"]] == ["Pending Invoices", "Overdue Invoices", "Client Activity"]
    assert [alert["metric"] for alert in body["alerts"]] == ["Overdue Invoices"]
    assert (body["performance_score"], "score" in body) == (None, False)
    assert snapshot.headers["ETag"] == f'W/"{body["version"]}.operations"'
    long_form = overview.json()
    assert long_form["receivables"]["outstanding"] == 6 * 617
    assert [set(month) for month in long_form["months"]] == [{"month"}] * 24
    assert {"series", "periods", "cash_forecast", "top_clients"}.isdisjoint(long_form)


def test_each_view_has_its_own_answers_also_where_they_are_repeated(house: House) -> None:
    for _ in range(3):
        whole, few, sales = (house.ask("realtime/aggregate/", view) for view in (None, "operations", "sales"))
        assert len(whole.json()["metrics"]) == 8
        assert [metric["name"] for metric in sales.json()["metrics"]] == ["Daily Revenue"]
        nothing_hidden(raw(few))
    tag = whole.headers["ETag"]
    assert house.ask("realtime/aggregate/", None, **{"If-None-Match": tag}).status_code == 304
    assert house.ask("realtime/aggregate/", "operations", **{"If-None-Match": tag}).status_code == 200
    assert set(house.ask("overview/", "sales").json()["periods"][0]["previous"]) == {
        "from",
        "to",
        "revenue",
        "unconverted",
    }


def test_sockets_and_streams_show_no_more(house: House) -> None:
    port = house.web.port
    with (
        Socket(port, house.tenant_id, jwt=house.token()) as socket,
        Events(port, house.tenant_id, jwt=house.token()) as events,
        Socket(port, house.tenant_id, jwt=house.token(None)) as whole,
    ):
        assert len(whole.receive_type("dashboard.update")["data"]["metrics"]) == 8
        first = socket.receive_type("dashboard.update")
        streamed = events.receive_type("dashboard_update")
        house.rows.expense(today(), SECRET)
        assert house.ask("realtime/recalculate/", None, "POST").status_code == 200
        after = socket.receive_type("dashboard.update")
        again = events.receive_type("dashboard_update")
        socket.send({"type": "request_update"})
        asked = socket.receive_type("dashboard.update")
    nothing_hidden(*map(json.dumps, (first, streamed, after, again, asked)))
    assert after["data"]["version"] != first["data"]["version"], "the revision may tell that something changed"
    assert SHOWN in json.dumps(first)


def test_what_is_compressed_is_what_the_view_shows(house: House) -> None:
    """The difference to what the same client got before: somebody else's view would not even inflate."""
    port = house.web.port
    with (
        CompressingSocket(port, house.tenant_id, jwt=house.token()) as socket,
        CompressingSocket(port, house.tenant_id, jwt=house.token(None)) as whole,
    ):
        first = socket.receive_type("dashboard.update")
        whole.receive_type("dashboard.update")
        house.rows.expense(today(), SECRET)
        assert house.ask("realtime/recalculate/", None, "POST").status_code == 200
        while socket.receive_type("dashboard.update")["data"]["version"] == first["data"]["version"]:
            pass
        whole.receive_type("dashboard.update")
    nothing_hidden(*socket.texts)
    assert all(b"Daily Expenses" in text for text in whole.texts)
    assert min(socket.sizes) < 200


def test_alerts_that_are_hidden_are_nowhere(house: House) -> None:
    everything = house.ask("alerts/", None).json()["alerts"]
    (loss,) = (alert["id"] for alert in everything if alert["metric"] == "Daily Profit")
    listed = house.ask("alerts/")
    nothing_hidden(raw(listed))
    assert [alert["metric"] for alert in listed.json()["alerts"]] == ["Overdue Invoices"]
    assert house.ask(f"alerts/{loss}/acknowledge/", method="POST").status_code == 404

    with (
        Socket(house.web.port, house.tenant_id, jwt=house.token(), path=NOTIFICATIONS) as socket,
        Socket(house.web.port, house.tenant_id, jwt=house.token(None, "owner"), path=NOTIFICATIONS) as whole,
    ):
        seen = [socket.receive(), socket.receive()]
        assert seen[1]["alert"]["metric"] == "Overdue Invoices"
        socket.send({"type": "acknowledge", "alert_id": loss})
        refused = socket.receive()
        assert (refused["type"], refused["code"]) == ("error", "not_found")
        whole.receive_type("alert.new", where=lambda message: message["alert"]["id"] == loss)
        whole.send({"type": "acknowledge", "alert_id": loss})
        whole.receive_type("alert.acknowledged")
        socket.send({"type": "ping"})
        last = socket.receive()
        assert last["type"] == "pong", "nothing was said of an alert that is hidden"
        nothing_hidden(*map(json.dumps, [*seen, refused, last]))


def test_documents_of_hidden_numbers_do_not_exist(house: House) -> None:
    for number in ("daily-expenses", "daily-revenue", "cash-flow", "profit", "expenses", "money-out", "forecast"):
        query = "?period=today" if number in ("profit", "expenses", "money-out") else ""
        answer = house.ask(f"receipts/{number}/{query}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        nothing_hidden(answer.text)
    hidden = house.ask("receipts/daily-expenses/?changes=true")
    assert (hidden.status_code, hidden.json()["code"]) == (404, "not_found")
    moved = house.ask("receipts/overdue-invoices/?changes=true")
    assert moved.json()["before"]["count"] + moved.json()["value"] == 6
    nothing_hidden(moved.text)
    owed = house.ask("receipts/overdue-invoices/")
    assert (owed.json()["total"], owed.json()["value"]) == (6 * 617, 6)
    nothing_hidden(owed.text)


def test_an_answer_that_is_kept_for_a_key_is_cut_for_whoever_gives_it(house: House) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    whole = house.ask("realtime/recalculate/", None, "POST", **key)
    few = house.ask("realtime/recalculate/", "operations", "POST", **key)
    assert few.json() == {**whole.json(), "performance_score": None}


def test_a_ticket_shows_no_more_than_the_token_it_was_given_for(house: House) -> None:
    path = f"/ws/dashboard/{house.tenant_id}/"
    headers = bearer("staff", tenant_id=house.tenant_id, dashboard_view="operations")
    given = requests.post(f"{house.web.url}{API}tickets/", json={"path": path}, headers=headers, timeout=10).json()
    stream = requests.post(
        f"{house.web.url}{API}tickets/", json={"path": f"{API}streaming/aggregate/"}, headers=headers, timeout=10
    ).json()
    assert given["path"] == path
    with requests.get(
        f"{house.web.url}{API}streaming/aggregate/?max_updates=1&ticket={stream['ticket']}", stream=True, timeout=10
    ) as answer:
        nothing_hidden(answer.content)
        assert SHOWN in answer.text


def test_a_socket_keeps_its_view(house: House) -> None:
    with Socket(house.web.port, house.tenant_id, jwt=house.token()) as socket:
        socket.send({"type": "refresh", "token": house.token(None)})
        refused = socket.receive_type("error")
        assert refused["code"] == "another_view"
        socket.send({"type": "refresh", "token": house.token()})
        assert socket.receive_type("token.refreshed")


def test_a_view_may_have_any_name(house: House) -> None:
    answer = house.ask("realtime/aggregate/", '営業 "A"')
    assert [metric["name"] for metric in answer.json()["metrics"]] == ["Daily Revenue"]
    tag = answer.headers["ETag"]
    assert house.ask("realtime/aggregate/", '営業 "A"', **{"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("view", ["nonsense", "", 7, ["operations"]])
def test_a_token_that_names_no_view_sees_nothing(house: House, view: Any) -> None:
    headers = bearer("staff", tenant_id=house.tenant_id, dashboard_view=view)
    for path in ("realtime/aggregate/", "overview/", "alerts/", "receipts/outstanding/"):
        answer = requests.get(f"{house.web.url}{API}{path}", headers=headers, timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (403, "unknown_view")
