"""What sockets and streams really send has the type and the shape that /asyncapi.json says."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from tests.integration.documents.conftest import TENANT
from tests.live import Events, Socket
from tests.servers import WebServer
from tests.tokens import token


@pytest.fixture(scope="module")
def document(web_with_demo: WebServer) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{web_with_demo.url}/asyncapi.json", timeout=5).json()
    return found


class Contract:
    """The messages of one channel."""

    def __init__(self, document: dict[str, Any], channel: str) -> None:
        self._components = {"schemas": document["components"]["schemas"]}
        messages = document["components"]["messages"]
        self._payloads = {
            messages[name]["name"]: messages[name]["payload"] for name in document["channels"][channel]["messages"]
        }

    def check(self, message: dict[str, Any], kind: str) -> None:
        """The message is of this type, which is the channel's, and satisfies its schema."""
        assert message["type"] == kind
        schema = {**self._payloads[kind], "components": self._components}
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(message)


def test_messages_of_the_dashboard_socket(web_with_demo: WebServer, document: dict[str, Any]) -> None:
    contract = Contract(document, "dashboard")
    with Socket(web_with_demo.port or 0, TENANT) as socket:
        contract.check(socket.receive(), "connection.established")
        contract.check(socket.receive_type("dashboard.update"), "dashboard.update")
        exchanges: tuple[tuple[dict[str, Any], str], ...] = (
            ({"type": "configure", "config": {"update_interval": 60}}, "configuration.updated"),
            ({"type": "configure", "config": {"update_interval": 1}}, "error"),
            ({"type": "ping"}, "pong"),
            ({"type": "refresh", "token": token(TENANT)}, "token.refreshed"),
            ({"type": "request_update"}, "dashboard.update"),
        )
        for sent, kind in exchanges:
            if kind != "error":
                contract.check(sent, sent["type"])
            socket.send(sent)
            contract.check(socket.receive_type(kind), kind)


def test_events_of_the_stream(web_with_demo: WebServer, document: dict[str, Any]) -> None:
    contract = Contract(document, "stream")
    with Events(web_with_demo.port or 0, TENANT, "?max_updates=1") as events:
        for kind in ("connection", "dashboard_update", "stream_end"):
            event = events.receive_type(kind)
            contract.check({name: value for name, value in event.items() if not name.startswith("_")}, kind)


def test_messages_of_the_notifications_socket(web_with_demo: WebServer, document: dict[str, Any]) -> None:
    contract = Contract(document, "notifications")
    with Socket(web_with_demo.port or 0, TENANT, path="/ws/dashboard/notifications/{}/") as socket:
        contract.check(socket.receive(), "notifications.connected")
        raised = socket.receive_type("alert.new")
        contract.check(raised, "alert.new")
        alert_id = raised["alert"]["id"]
        exchanges: tuple[tuple[dict[str, Any], str], ...] = (
            ({"type": "snooze", "alert_id": alert_id, "minutes": 60}, "alert.snoozed"),
            ({"type": "acknowledge", "alert_id": alert_id}, "alert.acknowledged"),
            ({"type": "acknowledge", "alert_id": "unknown"}, "error"),
            (
                {"type": "subscribe", "subscription": {"levels": ["critical", "warning"], "metrics": None}},
                "subscription.updated",
            ),
            ({"type": "ping"}, "pong"),
        )
        for sent, kind in exchanges:
            contract.check(sent, sent["type"])
            socket.send(sent)
            contract.check(socket.receive_type(kind), kind)
