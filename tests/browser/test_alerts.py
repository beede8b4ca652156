"""Alerts as their owner lives with them: seen at once, put aside in one tab and gone in the other, back when it is time."""

from __future__ import annotations

from playwright.sync_api import Locator, Route, expect

from tests.browser.conftest import Open, Visit, cookie
from tests.browser.stack import Stack
from tests.days import today
from tests.patience import PATIENCE
from tests.rows import Rows


def lose(stack: Stack, tenant_id: str) -> None:
    """Today’s profit falls below zero."""
    with stack.database() as db:
        Rows(db, tenant_id).expense(today(), 5000)


def critical(there: Visit) -> Locator:
    return there.page.locator('#alerts [data-level="critical"]')


def test_an_alert_appears_by_itself_and_an_acknowledgement_in_one_tab_is_seen_in_the_other(
    stack: Stack, visit: Open, business: str
) -> None:
    one, two = visit(business), visit(business)
    for there in (one, two):
        there.expect_live()
        expect(critical(there)).to_have_count(0)
    lose(stack, business)
    for there in (one, two):
        expect(critical(there)).to_contain_text("Today’s profit is −$4,900.00 so far.")
    one.page.get_by_role("button", name="Acknowledge: Today’s profit").click()
    # Until then it can be taken back.
    expect(two.page.locator("#alerts .put-off")).to_contain_text("put aside", timeout=20_000 * PATIENCE)
    for there in (one, two):
        expect(there.page.get_by_role("button", name="Acknowledge: Today’s profit")).to_have_count(0)
    one.page.reload()
    one.expect_live()
    expect(one.page.locator("#alerts .put-off")).to_contain_text("put aside")
    expect(one.page.get_by_role("button", name="Acknowledge: Today’s profit")).to_have_count(0)


def test_a_snoozed_alert_is_put_aside(stack: Stack, visit: Open, business: str) -> None:
    lose(stack, business)
    there = visit(business)
    there.expect_live()
    there.page.get_by_role("button", name="Snooze: Today’s profit").click()
    there.page.get_by_role("button", name="4 hours").locator("visible=true").click()
    expect(there.page.get_by_role("button", name="Snooze: Today’s profit")).to_have_count(0)
    expect(there.page.locator("#alerts .put-off")).to_contain_text("put aside")


def test_alerts_that_could_not_be_had_are_asked_for_again(stack: Stack, visit: Open, business: str) -> None:
    lose(stack, business)
    there = visit(None)
    refused: list[str] = []

    def refuse_at_first(route: Route) -> None:
        if len(refused) == 4:
            route.fallback()
        else:
            refused.append(route.request.url)
            route.fulfill(status=503, headers={"Retry-After": "2"}, content_type="application/problem+json", body="{}")

    there.page.route("**/api/dashboard/alerts/", refuse_at_first)
    there.context.add_cookies([cookie(stack, business)])
    there.page.reload()
    there.expect_live()
    # Nothing changes any more that would have the page ask by itself.
    button = there.page.get_by_role("button", name="Acknowledge: Today’s profit")
    expect(button).to_have_count(1, timeout=40_000 * PATIENCE)
