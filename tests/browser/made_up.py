"""A page of a made-up business: the API's answers and the sockets are made here, the page and its server are real."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page, Request, Route, WebSocketRoute, expect

from tests.browser import answers
from tests.browser.answers import BUSINESSES, Business
from tests.browser.conftest import Open


@dataclass
class MadeUp:
    """The page, what it asked, and the sockets it opened."""

    page: Page
    business: Business
    asked: list[Request] = field(default_factory=list)
    sockets: list[WebSocketRoute] = field(default_factory=list)

    def push(self, message: dict[str, Any]) -> None:
        """A message on every socket."""
        for socket in self.sockets:
            socket.send(json.dumps(message))

    def answer(self, route: Route) -> None:
        self.asked.append(route.request)
        path = re.sub(r"\?.*", "", route.request.url.split("/api/dashboard/")[1]).strip("/")
        name = path.split("/")[0]
        body: dict[str, Any] = {"success": True}
        if name == "receipts":
            body = answers.receipt(self.business, path.split("/")[1], changes="changes=true" in route.request.url)
        elif name == "realtime":
            body = answers.snapshot(self.business)
        elif name == "overview":
            body = answers.overview(self.business)
        elif route.request.method == "GET":
            body = {"alerts": answers.alerts(self.business), "next": None}
        route.fulfill(json=body)

    def with_receipts(self, route: Route) -> None:
        """The page of a server that has receipts."""
        answer = route.fetch()
        body = answer.text().replace('name="daybook-receipts" content=""', 'name="daybook-receipts" content="yes"')
        route.fulfill(response=answer, body=body)

    def greet(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        socket.send(json.dumps({"type": "connection.established", "timestamp": answers.AT}))


def looked_at(visit: Open, name: str = "usual", *, address: str = "", **options: object) -> MadeUp:
    """The page of a business, whole."""
    page = visit(None, **options).page
    made = MadeUp(page, BUSINESSES[name])
    page.route("**/api/dashboard/**", made.answer)
    page.route(re.compile(r"//[^/]+/(\?[^#]*)?(#.*)?$"), made.with_receipts)
    page.route_web_socket(re.compile("/ws/"), made.greet)
    page.goto(page.url.split("?")[0].split("#")[0] + address)
    if address.startswith("#"):
        page.reload()
    view = made.business.view
    expect(page.locator(".today .card")).to_have_count(len(view.metrics) if view else 8)
    if not made.business.empty and view is None:
        expect(page.locator(".incoming li").first).to_be_attached()
    return made
