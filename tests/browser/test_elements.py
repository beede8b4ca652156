"""Elements in a page of another origin, under a policy without inline styles, scripts or eval: live, few and accessible."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import WebSocket, WebSocketRoute, expect

from tests.browser.conftest import Open, add_invoice
from tests.browser.elements import Product
from tests.browser.stack import Stack
from tests.browser.test_below_a_path import SOCKETS
from tests.browser.test_client import until
from tests.days import today
from tests.patience import PATIENCE
from tests.rows import Rows
from tests.tokens import token


def test_a_metric_is_live_in_a_strict_page_of_another_origin(
    visit: Open, stack: Stack, books: Product, business: str
) -> None:
    page = visit(None).page
    modules: list[str] = []
    page.goto("about:blank")
    page.on("request", lambda request: modules.append(request.url) if request.url.endswith(".js") else None)
    metric = f'<daybook-metric base-url="{stack.web.url}" name="Daily Revenue" locale="en"></daybook-metric>'
    page.goto(books.shows(stack.web.url, metric, token=token(business), module="metric.js"))
    value = page.locator("daybook-metric .number")
    expect(value).to_have_text("$100.00")
    add_invoice(stack, business, 50)
    expect(value).to_have_text("$150.00", timeout=10_000 * PATIENCE)
    assert modules == [f"{books.origin}/host.js", f"{stack.web.url}/static/metric.js"]
    assert page.evaluate("told.filter(([type]) => type === 'update').length") >= 2


def test_elements_of_one_viewer_share_one_connection_and_follow_their_attributes(
    visit: Open, stack: Stack, books: Product, business: str
) -> None:
    there = visit(None)
    sockets: list[str] = []
    there.page.on("websocket", lambda socket: sockets.append(urlsplit(socket.url).path))
    at = f'base-url="{stack.web.url}/"'
    body = (
        f'<daybook-metric {at} name="Daily Revenue"></daybook-metric>'
        f'<daybook-metric {at} name="Pending Invoices" locale="de-DE"></daybook-metric>'
        f"<daybook-alerts {at}></daybook-alerts>"
    )
    there.page.goto(books.shows(stack.web.url, body, token=token(business)))
    expect(there.page.locator("daybook-metric .number").first).to_have_text("$100.00")
    expect(there.page.locator("daybook-metric").nth(1)).to_contain_text("Offene Rechnungen")
    until(there.page, "told.some(([type, name]) => type === 'update' && name === 'daybook-alerts')")
    until(there.page, "[...document.querySelectorAll('[base-url]')].every(({ dataset }) => dataset.state === 'live')")
    assert len([path for path in sockets if "notifications" not in path]) == 1
    there.page.locator("daybook-metric").first.evaluate("(element) => element.setAttribute('name', 'Client Activity')")
    expect(there.page.locator("daybook-metric h3").first).to_have_text("Client activity", ignore_case=True)
    there.page.evaluate("document.querySelectorAll('[base-url]').forEach((element) => element.remove())")
    until(there.page, "true")


def test_the_whole_dashboard_fits_into_a_strict_page_is_accessible_and_takes_its_colours(
    visit: Open, stack: Stack, books: Product
) -> None:
    there = visit(None)
    at = f'base-url="{stack.web.url}/"'
    address = books.shows(
        stack.web.url, f"<daybook-dashboard {at} theme='dark'></daybook-dashboard>", token=token("demo")
    )
    there.page.goto(address)
    board = there.page.locator("daybook-dashboard")
    expect(board.get_by_role("status").first).to_have_text("Live")
    expect(board.locator(".panel.period")).to_be_visible()
    assert board.locator(".card").count() == 8
    expect(board.locator(".panel.due .all")).to_be_visible()
    before = there.page.url
    board.locator("[data-metric='Daily Revenue'] .ask").click()
    expect(board.locator("dialog.receipt")).to_be_visible()
    assert there.page.url == before
    there.page.keyboard.press("Escape")
    expect(board.locator("dialog.receipt")).to_be_hidden()
    board.evaluate("(element) => element.style.setProperty('--accent', 'rgb(1, 2, 3)')")
    assert (
        board.evaluate("(e) => getComputedStyle(e.shadowRoot.querySelector('.card')).getPropertyValue('--accent')")
        == "rgb(1, 2, 3)"
    )
    board.evaluate("(element) => element.style.removeProperty('--accent')")
    board.evaluate("(element) => element.setAttribute('view', 'alerts metrics')")
    expect(board.locator(".panel.period")).to_have_count(0)
    expect(board.locator(".card")).to_have_count(8)
    board.evaluate("(element) => element.removeAttribute('view')")
    expect(board.locator(".panel.period")).to_be_visible()
    there.page.evaluate("document.body.style.background = '#0d0e11'; document.body.style.color = '#fff'")
    found = Axe().run(there.page)
    assert found.violations_count == 0, found.generate_report()


def test_a_clicked_number_tells_the_host_and_opens_in_a_receipt_elsewhere_in_the_page(
    visit: Open, stack: Stack, books: Product, business: str
) -> None:
    page = visit(None).page
    at = f'base-url="{stack.web.url}/" locale="en"'
    body = (
        f'<daybook-metric {at} name="Daily Revenue" documents></daybook-metric><daybook-receipt {at}></daybook-receipt>'
    )
    address = books.shows(stack.web.url, body, token=token(business))
    page.goto(address)
    page.locator("daybook-metric .ask").click()
    until(page, "told.some(([type, , detail]) => type === 'documents' && detail.number === 'daily-revenue')")
    expect(page.locator("daybook-receipt h2")).to_have_text("Revenue today")
    assert page.url == address


def test_an_element_that_gets_no_socket_reads_the_stream(
    visit: Open, stack: Stack, books: Product, business: str
) -> None:
    there = visit(None)
    there.page.route_web_socket(SOCKETS, WebSocketRoute.close)
    streams: list[str] = []
    there.context.on("request", lambda request: streams.append(request.url) if "/streaming/" in request.url else None)
    metric = f'<daybook-metric base-url="{stack.web.url}" name="Daily Revenue" locale="en"></daybook-metric>'
    there.page.goto(books.shows(stack.web.url, metric, token=token(business), module="metric.js"))
    until(there.page, "document.querySelector('daybook-metric').dataset.state === 'live'")
    add_invoice(stack, business, 250)
    expect(there.page.locator("daybook-metric .number")).to_have_text("$350.00", timeout=10_000 * PATIENCE)
    assert len(streams) == 1


def test_an_alert_is_shown_and_told_to_the_host(visit: Open, stack: Stack, books: Product, business: str) -> None:
    page = visit(None).page
    alerts = f'<daybook-alerts base-url="{stack.web.url}" locale="en"></daybook-alerts>'
    page.goto(books.shows(stack.web.url, alerts, token=token(business)))
    until(page, "document.querySelector('daybook-alerts').dataset.state === 'live'")
    with stack.database() as db:
        Rows(db, business).expense(today(), 900, paid_on=today())
    until(page, "told.some(([type, , detail]) => type === 'alert' && detail.alert?.metric === 'Daily Profit')")
    expect(page.locator("daybook-alerts li").filter(has_text="800")).to_be_visible()


def test_a_token_that_runs_out_is_asked_for_again_and_the_last_element_ends_the_connection(
    visit: Open, stack: Stack, books: Product, business: str
) -> None:
    page = visit(None).page
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    alerts = f'<daybook-alerts base-url="{stack.web.url}" locale="en"></daybook-alerts>'
    page.goto(books.shows(stack.web.url, alerts, token=token(business, ttl_s=4)))
    until(page, "document.querySelector('daybook-alerts').dataset.state === 'live' && asked > 1")
    page.evaluate("document.querySelector('daybook-alerts').remove()")
    deadline = time.monotonic() + 10 * PATIENCE
    while not all(socket.is_closed() for socket in sockets):
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def test_without_a_good_token_elements_say_so(visit: Open, stack: Stack, books: Product) -> None:
    page = visit(None).page
    at = f'base-url="{stack.web.url}/" locale="en"'
    body = f"<daybook-metric {at} name='Cash Flow'></daybook-metric><daybook-dashboard {at}></daybook-dashboard>"
    page.goto(books.shows(stack.web.url, body, token="bad"))
    expect(page.locator("daybook-metric").get_by_role("status")).to_have_text("Sign in again")
    expect(page.locator("daybook-dashboard").get_by_role("alert").first).to_be_visible()
    until(page, "told.some(([type, name, { state }]) => type === 'state' && state === 'signed-out')")
