"""From a committed row to a card on the screen, and what a person sees when something in between is away."""

from __future__ import annotations

import re
import time
import uuid

from playwright.sync_api import WebSocketRoute, expect

from tests.browser.conftest import Open, add_invoice, cookie
from tests.browser.stack import Stack
from tests.rows import add_tenant

SOCKETS = re.compile(r"/ws/dashboard/")
DASHBOARD = re.compile(r"/ws/dashboard/(?!notifications/)")


def test_a_committed_row_changes_a_card(stack: Stack, visit: Open, business: str) -> None:
    there = visit(business)
    there.expect_live()
    expect(there.value("Daily Revenue")).to_have_text("$100.00")
    add_invoice(stack, business, 250)
    expect(there.value("Daily Revenue")).to_have_text("$350.00")
    expect(there.value("Pending Invoices")).to_have_text("2")


def test_the_first_document_of_a_new_business_fills_the_page(stack: Stack, visit: Open) -> None:
    tenant_id = f"new-{uuid.uuid4().hex[:8]}"
    with stack.database() as db:
        add_tenant(db, tenant_id, name="New Business")
    there = visit(tenant_id)
    expect(there.page.get_by_role("heading", name="Nothing posted yet")).to_be_visible()
    expect(there.page.get_by_role("heading", name="Who owes you")).to_have_count(0)
    there.expect_live()
    add_invoice(stack, tenant_id, 40)
    expect(there.page.get_by_role("heading", name="Nothing posted yet")).to_have_count(0)
    expect(there.page.get_by_role("heading", name="Who owes you")).to_be_visible()


def test_numbers_are_painted_without_waiting_for_the_socket(stack: Stack, visit: Open, business: str) -> None:
    there = visit(None)
    there.page.route_web_socket(SOCKETS, lambda _: None)
    there.context.add_cookies([cookie(stack, business)])
    there.page.reload()
    expect(there.value("Daily Revenue")).to_have_text("$100.00")
    expect(there.state).to_have_text("Connecting")


def test_page_is_live_again_with_the_newest_numbers_after_the_server_restarted(
    stack: Stack, visit: Open, business: str
) -> None:
    there = visit(business)
    there.expect_live()
    stack.web.stop()
    try:
        expect(there.state).to_have_text("Reconnecting")
        add_invoice(stack, business, 11)
    finally:
        stack.web.start()
    there.expect_live()
    expect(there.value("Daily Revenue")).to_have_text("$111.00")


def test_page_says_since_when_it_is_offline_and_comes_back_by_itself(stack: Stack, visit: Open, business: str) -> None:
    there = visit(None)
    sockets: list[WebSocketRoute] = []
    online = True

    def pass_through(route: WebSocketRoute) -> None:
        # Chromium's offline mode leaves sockets alone.
        if online:
            sockets.append(route)
            route.connect_to_server()
        else:
            route.close(code=4000)

    there.page.route_web_socket(SOCKETS, pass_through)
    there.context.add_cookies([cookie(stack, business)])
    there.page.reload()
    there.expect_live()
    online = False
    there.context.set_offline(True)
    sockets[0].close(code=4000)
    expect(there.state).to_have_text(re.compile(r"^Offline, showing data from \d+:\d\d"))
    expect(there.value("Daily Revenue")).to_have_text("$100.00")
    online = True
    there.context.set_offline(False)
    there.expect_live(within_s=3)


def test_an_expired_token_asks_to_sign_in_and_a_new_one_continues(stack: Stack, visit: Open, business: str) -> None:
    there = visit(None)
    expect(there.page.get_by_role("heading", name="Sign in to see your numbers")).to_be_visible()
    there.context.add_cookies([cookie(stack, business, ttl_s=8)])
    there.page.get_by_role("button", name="Try again").click()
    there.expect_live()
    expect(there.state).to_have_text("Sign in again")
    expect(there.value("Daily Revenue")).to_have_text("$100.00")
    there.context.add_cookies([cookie(stack, business)])
    there.expect_live(within_s=15)


def test_a_socket_that_is_not_ours_is_not_tried_again(stack: Stack, visit: Open, business: str) -> None:
    there = visit(None)
    opened: list[WebSocketRoute] = []

    def refuse(route: WebSocketRoute) -> None:
        opened.append(route)
        route.close(code=4403)

    there.page.route_web_socket(DASHBOARD, refuse)
    there.context.add_cookies([cookie(stack, business)])
    there.page.reload()
    expect(there.state).to_have_text("No access")
    there.page.evaluate("dispatchEvent(new Event('online'))")
    expect(there.state).to_have_text("No access")
    assert len(opened) == 1


def test_page_says_that_numbers_are_delayed_while_nothing_is_computed(stack: Stack, visit: Open, business: str) -> None:
    there = visit(business)
    there.expect_live()
    with stack.computing_frozen():
        expect(there.state).to_have_text(re.compile(r"^Delayed, showing data from"))
        expect(there.page.locator(".notice")).to_contain_text("Nothing is being computed")
    there.expect_live(within_s=20)
    expect(there.page.locator(".notice")).to_have_count(0)


def test_age_is_counted_on_the_servers_clock(stack: Stack, visit: Open, business: str) -> None:
    there = visit(None)
    there.page.clock.install(time=time.time() + 3 * 3600)
    there.context.add_cookies([cookie(stack, business)])
    there.page.reload()
    there.expect_live()
    expect(there.page.locator("#age")).to_have_text(re.compile(r"^Updated \d+ sec\. ago"))


def test_a_person_recalculates_with_the_button_or_the_keyboard(stack: Stack, visit: Open, business: str) -> None:
    there = visit(business)
    there.expect_live()
    there.page.get_by_role("button", name="Recalculate").click()
    expect(there.page.locator("#toast")).to_have_text(re.compile("^Recalculat(ed: nothing has changed|ion is queued)$"))
    there.page.keyboard.press("r")
    expect(there.page.get_by_role("button", name="Recalculate")).not_to_have_attribute("aria-disabled", "true")


def test_page_turns_to_whoever_signed_in_last(stack: Stack, visit: Open, business: str) -> None:
    there = visit(None)
    sockets = there.sockets(SOCKETS)
    there.context.add_cookies([cookie(stack, business)])
    there.page.reload()
    there.expect_live()
    there.context.add_cookies([cookie(stack, "tokyo")])
    sockets[0].close(code=4000)
    expect(there.page.get_by_role("heading", level=1)).to_have_text("Tokyo Paper Goods")
    there.expect_live()
    expect(there.page.locator(".debts .figure strong")).to_have_text(re.compile("^¥"))


def test_a_tenant_that_is_absent_for_a_moment_is_waited_for(stack: Stack, visit: Open, business: str) -> None:
    there = visit(business)
    there.expect_live(within_s=30)
    with stack.database() as db:
        db.execute("CREATE TEMP TABLE kept AS SELECT * FROM dashboard.tenant WHERE tenant_id = %s", [business])
        db.execute("DELETE FROM dashboard.tenant WHERE tenant_id = %s", [business])
        expect(there.state).to_contain_text("Waiting")
        expect(there.page.locator(".notice")).to_contain_text("not in the database at the moment")
        db.execute("INSERT INTO dashboard.tenant SELECT * FROM kept")
    there.expect_live(within_s=15)
    add_invoice(stack, business, 11)
    expect(there.value("Daily Revenue")).to_have_text("$111.00")


def test_a_number_leads_to_its_documents_and_back_by_keyboard(stack: Stack, visit: Open, business: str) -> None:
    add_invoice(stack, business, 250)
    there = visit(business)
    number = there.card("Daily Revenue").locator(".value .ask")
    expect(number).to_have_text("$350.00")
    number.focus()
    there.page.keyboard.press("Enter")
    dialog = there.page.get_by_role("dialog", name="Revenue today")
    expect(dialog.locator(".figure")).to_contain_text("$350.00")
    expect(dialog.locator("tbody tr")).to_have_count(2)
    expect(dialog.locator("tbody tr").first).to_contain_text("$250.00")
    expect(dialog.locator(".moved")).to_contain_text("In2 documents+$350.00")
    dialog.get_by_role("link", name="The documents that moved it").click()
    expect(dialog.locator("tbody tr").first).to_contain_text("+$250.00In")
    there.page.go_back()
    expect(dialog.locator("tbody .move")).to_have_count(0)
    there.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(number).to_be_focused()
