"""Below a path of the host's own, and where something in between refuses WebSockets: the same live page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, WebSocketRoute, expect

from tests.browser.conftest import Open, Visit, add_invoice
from tests.browser.stack import Stack
from tests.servers import WebServer
from tests.tokens import token

BASE = "/books/dash"
SOCKETS = re.compile(r"/ws/dashboard/")


@pytest.fixture(scope="module")
def below(stack: Stack) -> Iterator[str]:
    """Another web process of the same Daybook, below a path; its origin."""
    env = {"DASHBOARD_DEMO": "1", "DASHBOARD_BASE_PATH": BASE, **stack.web_env}
    with WebServer(stack.redis_url, stack.keys, env=env, beating=False) as web:
        yield web.url


def test_the_page_below_a_path_is_live_and_its_documents_too(
    stack: Stack, browser: Browser, business: str, below: str
) -> None:
    asked: list[str] = []
    with browser.new_context(locale="en-US", timezone_id="UTC") as context:
        context.on("request", lambda request: asked.append(request.url))
        there = Visit(context.new_page(), context)
        there.page.on("websocket", lambda socket: asked.append(socket.url.replace("ws:", "http:", 1)))
        there.page.goto(f"{below}{BASE}/demo/sign-in?token={token(business)}")
        there.expect_live()
        add_invoice(stack, business, 250)
        expect(there.value("Daily Revenue")).to_have_text("$350.00")
        there.page.goto(f"{below}{BASE}/docs")
        expect(there.page.get_by_role("heading", name="API", exact=True)).to_be_visible()
        expect(there.page.locator("section").first).to_be_visible()
    assert any("/ws/dashboard/" in address for address in asked)
    assert [address for address in asked if not address.startswith(below + BASE)] == []


def test_a_page_that_gets_no_socket_reads_the_stream(stack: Stack, visit: Open, business: str) -> None:
    refused: list[str] = []

    def refuse(socket: WebSocketRoute) -> None:
        refused.append(socket.url)
        socket.close()

    there = visit(None)
    there.page.route_web_socket(SOCKETS, refuse)
    streams: list[str] = []
    there.context.on("request", lambda request: streams.append(request.url) if "/streaming/" in request.url else None)
    there.page.goto(stack.sign_in_url(business))
    there.expect_live()
    assert len([url for url in refused if "notifications" not in url]) == 2
    assert len(streams) == 1
    add_invoice(stack, business, 250)
    expect(there.value("Daily Revenue")).to_have_text("$350.00")
