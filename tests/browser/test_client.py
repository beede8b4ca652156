"""client.js as other pages use it: snapshots in order, close codes obeyed, sleep noticed, tokens passed."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import Open, Visit, add_invoice, cookie
from tests.browser.stack import Stack
from tests.patience import PATIENCE
from tests.tokens import bearer, token

SOCKETS = re.compile(r"/ws/dashboard/")
DASHBOARD = re.compile(r"/ws/dashboard/(?!notifications/)")
CONNECT = """async (name) => {
    const { connect } = await import("/static/client.js");
    const seen = (window[name] = { versions: [], refreshed: 0, statuses: [] });
    seen.client = connect({
        onSnapshot: (snapshot) => seen.versions.push(snapshot.version),
        onRefresh: () => (seen.refreshed += 1),
        onStatus: (status) => seen.statuses.push({ ...status, at: Date.now() }),
    });
}"""


def client_in(there: Visit) -> None:
    """A second client in the page, beside the page's own; what it sees is kept in window.seen."""
    there.page.evaluate(CONNECT, "seen")
    until(there.page, "seen.client.status.state === 'live'")


def until(page: Page, expression: str, *, within_s: float = 10) -> None:
    """Wait for an expression to hold. (Playwright's own way evaluates in the page, which its policy forbids.)"""
    deadline = time.monotonic() + within_s * PATIENCE
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"not within {within_s} s: {expression}"
        page.wait_for_timeout(20)


@pytest.mark.parametrize(
    ("following", "held", "newer"),
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
    visit: Open, following: str, held: str | None, newer: bool
) -> None:
    page = visit().page
    verdict = page.evaluate("async ([a, b]) => (await import('/static/client.js')).isNewer(a, b)", [following, held])
    assert verdict is newer


def test_waiting_time_is_a_random_share_of_a_doubling_bound(visit: Open) -> None:
    bounds = visit().page.evaluate(
        """async () => {
            const { delayMs } = await import("/static/channel.js");
            return [0, 1, 2, 10].map((attempt) => [delayMs(attempt, 0, () => 0), delayMs(attempt, 100, () => 1)]);
        }"""
    )
    assert bounds == [[0, 600], [0, 1100], [0, 2100], [0, 30100]]


def test_snapshots_come_once_each_and_in_order_through_a_restart(stack: Stack, visit: Open, business: str) -> None:
    there = visit(business)
    client_in(there)
    for total in (1, 2):
        add_invoice(stack, business, total)
        until(there.page, f"seen.versions.length > {total}")
    stack.web.stop()
    add_invoice(stack, business, 3)
    stack.web.start()
    until(there.page, "seen.client.snapshot.metrics.find(({ name }) => name === 'Daily Revenue').value === 106")
    revisions = [int(version.split("-")[1]) for version in there.page.evaluate("seen.versions")]
    assert revisions == sorted(set(revisions))


def test_the_same_version_computed_again_is_a_refresh_and_no_new_snapshot(visit: Open, business: str) -> None:
    there = visit(business)
    client_in(there)
    before = there.page.evaluate("seen.refreshed")
    answer = there.page.evaluate("seen.client.recalculate()")
    assert answer["refresh_results"]["changed"] is False
    assert there.page.evaluate("seen.refreshed") > before
    assert there.page.evaluate("seen.versions.length") == 1


@pytest.mark.parametrize(
    ("code", "least_s", "most_s"), [(1012, 0.25, 0.75), (1011, 0, 0.5), (4408, 1, 1.5), (4429, 10, 10.5)]
)
def test_a_close_code_decides_how_long_to_wait(
    stack: Stack, visit: Open, business: str, code: int, least_s: float, most_s: float
) -> None:
    there = visit(None)
    sockets = there.sockets(SOCKETS)
    there.context.add_cookies([cookie(stack, business)])
    there.page.reload()
    there.expect_live()
    client_in(there)
    sockets[-1].close(code=code)
    until(there.page, "seen.statuses.at(-1).retryAt !== null")
    status: dict[str, Any] = there.page.evaluate("seen.statuses.at(-1)")
    assert status["state"] == "reconnecting"
    assert least_s * 1000 - 50 <= status["retryAt"] - status["at"] <= most_s * 1000 + 50


def test_what_comes_after_a_reconnect_says_whether_data_is_still_stale(
    stack: Stack, visit: Open, business: str
) -> None:
    there = visit(None)
    sockets = there.sockets(SOCKETS)
    there.context.add_cookies([cookie(stack, business)])
    there.page.reload()
    there.expect_live()
    client_in(there)
    sockets[-1].send('{"type":"dashboard.status","stale":true,"since":null,"reason":"workers_silent"}')
    until(there.page, "seen.client.status.stale")
    # What ended meanwhile is told by nobody but the snapshot, which is the one that is there already.
    sockets[-1].close(code=1012)
    until(there.page, "seen.client.status.state === 'live' && !seen.client.status.stale")


def test_a_laptop_that_wakes_finds_its_dead_socket_and_opens_another(stack: Stack, visit: Open, business: str) -> None:
    there = visit(None)
    opened: list[WebSocketRoute] = []
    dead: set[int] = set()

    def pass_through(route: WebSocketRoute) -> None:
        number = len(opened)
        opened.append(route)
        server = route.connect_to_server()
        route.on_message(lambda message: None if number in dead else server.send(message))
        server.on_message(lambda message: None if number in dead else route.send(message))

    there.page.route_web_socket(DASHBOARD, pass_through)
    there.page.clock.install()
    there.context.add_cookies([cookie(stack, business)])
    there.page.reload()
    there.expect_live()
    # The page before may have tried one with the cookie, too.
    before = len(opened)
    dead.update(range(before))
    there.page.clock.fast_forward(3_600_000)
    there.page.clock.fast_forward(6_000)
    expect(there.state).to_have_text("Reconnecting")
    there.page.clock.fast_forward(1_000)
    there.expect_live()
    assert len(opened) == before + 1


def test_a_host_product_passes_the_token_into_its_frame(stack: Stack, visit: Open, host: str, business: str) -> None:
    there = visit(None)
    there.page.goto(f"{host}/?{urlencode({'frame': stack.web.url, 'token': token(business)})}")
    inside = there.page.frame_locator("iframe")
    expect(inside.locator('[data-metric="Daily Revenue"] .number')).to_have_text("$100.00")
    assert there.page.evaluate("asked") == 1


OWN_SOCKET = """(address) => {
    const seen = (window.own = { snapshots: [] });
    seen.socket = new WebSocket(address);
    seen.socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === "dashboard.update") seen.snapshots.push(message.data);
    };
}"""


def test_a_browser_agrees_on_compression_and_reads_every_difference(stack: Stack, visit: Open, business: str) -> None:
    page = visit(business).page
    page.evaluate(OWN_SOCKET, f"ws://127.0.0.1:{stack.web.port}/ws/dashboard/{business}/")
    until(page, "own.snapshots.length > 0")
    for total in (1, 2, 3):
        before = page.evaluate("own.snapshots.at(-1).version")
        add_invoice(stack, business, total)
        until(page, f"own.snapshots.at(-1).version !== '{before}'")
    assert page.evaluate("own.socket.extensions").startswith("permessage-deflate")
    now = requests.get(
        f"{stack.web.url}/api/dashboard/realtime/aggregate/", headers=bearer(business), timeout=10
    ).json()
    assert page.evaluate("own.snapshots.at(-1)") == now
