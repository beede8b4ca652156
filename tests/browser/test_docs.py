"""/docs in the browser: everything is there, everything can be tried, nothing comes from elsewhere."""

from __future__ import annotations

import json
import re

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, Visit, keep_screenshot
from tests.browser.stack import Stack
from tests.servers import eventually
from tests.tokens import token


@pytest.fixture
def docs(visit: Open, stack: Stack) -> Visit:
    """The page, in a browser that is signed in as the demo."""
    there = visit("demo")
    open_docs(there.page, stack)
    return there


@pytest.fixture
def computed(stack: Stack, business: str) -> str:
    """A tenant of the test's own with a first snapshot: the page opens a connection once, and without one it is refused."""
    address = f"{stack.web.url}/api/dashboard/realtime/aggregate/"
    asking = {"Authorization": f"Bearer {token(business)}"}
    eventually(lambda: requests.get(address, headers=asking, timeout=5).ok)
    return business


def open_docs(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.web.url}/docs")
    expect(page.locator("#waiting")).to_have_count(0)


def form(page: Page, name: str) -> Locator:
    return page.get_by_role("form", name=name, exact=True)


def answer_of(page: Page, operation_id: str) -> Locator:
    return page.locator(f"#{operation_id} .answer")


def test_every_operation_and_channel_of_the_documents_is_shown(docs: Visit, stack: Stack) -> None:
    openapi = requests.get(f"{stack.web.url}/openapi.json", timeout=5).json()
    asyncapi = requests.get(f"{stack.web.url}/asyncapi.json", timeout=5).json()
    operations = [operation for methods in openapi["paths"].values() for operation in methods.values()]
    expect(docs.page.locator("section.operation")).to_have_count(len(operations) + len(asyncapi["channels"]))
    for operation in operations:
        expect(docs.page.locator(f"#{operation['operationId']} .summary")).to_contain_text(operation["summary"])
    text = docs.page.locator("#content").inner_text()
    for message in asyncapi["components"]["messages"].values():
        assert message["name"] in text
    expect(docs.page.get_by_role("link", name="The dashboard now")).to_be_visible()


def test_an_operation_is_tried_with_the_cookie(docs: Visit) -> None:
    form(docs.page, "Try GET /api/dashboard/realtime/aggregate/").get_by_role("button", name="Send").click()
    answer = answer_of(docs.page, "snapshot")
    expect(answer.locator(".status")).to_have_text("200")
    assert json.loads(answer.locator("pre").last.inner_text())["user_id"] == "demo"


def test_an_operation_is_tried_with_a_pasted_token_which_is_not_shown_in_the_command(
    visit: Open, stack: Stack, business: str
) -> None:
    page = visit(None).page
    open_docs(page, stack)
    send = form(page, "Try POST /api/dashboard/realtime/recalculate/").get_by_role("button", name="Send")
    send.click()
    expect(answer_of(page, "recalculate")).to_contain_text("token_missing")
    page.get_by_label("Token", exact=True).fill(token(business))
    page.locator("#recalculate-Idempotency-Key").fill("once")
    send.click()
    expect(answer_of(page, "recalculate")).to_contain_text(re.compile("Dashboard recalculation completed|queued"))
    command = page.locator("#recalculate .curl").inner_text()
    assert "$TOKEN" in command
    assert "eyJ" not in command
    assert 'Idempotency-Key: once"' in command


def test_a_stream_shows_its_events_as_they_come_until_it_is_stopped(docs: Visit) -> None:
    docs.page.locator("#stream-interval").fill("300")
    tried = form(docs.page, "Try GET /api/dashboard/streaming/aggregate/")
    tried.get_by_role("button", name="Send").click()
    expect(answer_of(docs.page, "stream")).to_contain_text("dashboard_update")
    tried.get_by_role("button", name="Stop").click()
    expect(tried.get_by_role("button", name="Send")).to_be_enabled()


@pytest.mark.parametrize("credential", ["cookie", "token"])
def test_a_socket_is_tried_with_the_cookie_or_with_a_ticket(
    visit: Open, stack: Stack, computed: str, credential: str
) -> None:
    page = visit(computed if credential == "cookie" else None).page
    open_docs(page, stack)
    if credential == "token":
        page.get_by_label("Token", exact=True).fill(token(computed))
    channel = page.locator("#channel-dashboard")
    page.locator("#dashboard-user").fill(computed)
    channel.get_by_role("button", name="Connect").click()
    expect(channel.get_by_role("log")).to_contain_text("dashboard.update")
    channel.get_by_role("button", name="Send").click()
    expect(channel.get_by_role("log")).to_contain_text('"type":"pong"')
    channel.get_by_role("button", name="Close").click()
    expect(channel.get_by_role("log")).to_contain_text(re.compile(r"closed 100\d"))


def test_a_stream_is_tried_with_a_ticket(visit: Open, stack: Stack, computed: str) -> None:
    page = visit(None).page
    open_docs(page, stack)
    page.get_by_label("Token", exact=True).fill(token(computed))
    channel = page.locator("#channel-stream")
    channel.get_by_role("button", name="Connect").click()
    expect(channel.get_by_role("log")).to_contain_text("dashboard_update")


def test_fields_open_in_place(docs: Visit) -> None:
    possible = docs.page.locator("#snapshot details.possible").first
    possible.locator("summary").first.click()
    possible.get_by_text("Metric[]").click()
    expect(possible.get_by_text("confidence_factors")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_everybody_can_use_the_page(visit: Open, stack: Stack, scheme: str, width: int) -> None:
    page = visit("demo", color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True).page
    open_docs(page, stack)
    form(page, "Try GET /api/dashboard/health/").get_by_role("button", name="Send").click()
    expect(answer_of(page, "health").locator(".status")).to_have_text("200")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_screenshot(page, f"docs-{scheme}-{width}")
