"""How the page looks and reads: currencies, locales, zones, themes, sizes; and that everybody can use it."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from shared.currency import EXPONENTS
from tests.browser.conftest import Open, Visit, keep_screenshot
from tests.servers import eventually

WIDE = {"width": 1440, "height": 900}
GERMAN_DAYS = "Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonntag"
GERMAN_MONTHS = "Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
PHONE = {"width": 390, "height": 844}
LIGHT_GROUND, DARK_GROUND = "rgb(247, 247, 248)", "rgb(13, 14, 17)"


def expect_accessible(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def settled(there: Visit) -> None:
    """Live, with the long form painted."""
    there.expect_live()
    expect(there.page.get_by_role("heading", name="Top clients")).to_be_visible()


@pytest.mark.parametrize(("theme", "name", "viewport"), [("light", "wide", WIDE), ("dark", "phone", PHONE)])
def test_page_is_accessible_and_pictured(visit: Open, theme: str, name: str, viewport: dict[str, int]) -> None:
    there = visit("demo", color_scheme=theme, viewport=viewport)
    settled(there)
    keep_screenshot(there.page, f"dashboard-{theme}-{name}")
    expect_accessible(there.page)
    there.page.keyboard.press("t")
    there.card("Daily Expenses").get_by_role("button").click()
    expect(there.page.get_by_role("dialog", name="About Daily Expenses")).to_be_visible()
    expect_accessible(there.page)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("tenant_id", ["empty", "no-such-business", None])
def test_pages_without_numbers_are_accessible_and_pictured(visit: Open, tenant_id: str | None, theme: str) -> None:
    there = visit(tenant_id, color_scheme=theme)
    expect(there.page.get_by_role("heading", level=1).locator("visible=true")).to_have_count(1)
    expect(there.page.locator(".skeleton")).to_have_count(0)
    keep_screenshot(there.page, f"{tenant_id or 'signed-out'}-{theme}")
    expect_accessible(there.page)


def test_help_is_accessible(visit: Open) -> None:
    there = visit()
    settled(there)
    there.page.keyboard.press("?")
    expect(there.page.get_by_role("dialog", name="Help")).to_be_visible()
    expect_accessible(there.page)


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1440, 2560])
def test_nothing_sticks_out_at_any_width(visit: Open, width: int) -> None:
    there = visit("xero-demo", viewport={"width": width, "height": 900})
    settled(there)
    assert there.page.evaluate("document.documentElement.scrollWidth") == width


def test_skeleton_stands_where_the_numbers_will_be(visit: Open) -> None:
    there = visit(None, java_script_enabled=False)
    expect(there.page.locator(".cards .card")).to_have_count(8)
    keep_screenshot(there.page, "skeleton")


def test_money_has_the_decimals_of_its_currency(visit: Open) -> None:
    expect(visit("tokyo").value("Daily Revenue")).to_have_text(re.compile(r"^−?¥[\d,]+$"))
    expect(visit("kuwait").value("Daily Revenue")).to_have_text(re.compile(r"^−?KWD\s?[\d,]+\.\d{3}$"))


def test_every_currency_is_shown_with_its_own_decimals(visit: Open) -> None:
    there = visit()
    shown = there.page.evaluate(
        """async (codes) => {
            const { decimals } = await import("/static/format.js");
            return Object.fromEntries(codes.map((code) => [code, decimals(code)]));
        }""",
        list(EXPONENTS),
    )
    assert shown == EXPONENTS


def test_numbers_and_days_follow_the_viewers_locale(visit: Open) -> None:
    there = visit("berlin", locale="de-DE")
    expect(there.value("Daily Revenue")).to_have_text(re.compile(r"^−?[\d.]+,\d\d\s€$"))
    expect(there.page.locator(".title p")).to_contain_text(
        re.compile(rf"({GERMAN_DAYS}), \d+\. ({GERMAN_MONTHS}) \d{{4}}")
    )
    expect(there.page.get_by_role("button", name="Neu berechnen")).to_be_visible()
    expect(there.page.locator("html")).to_have_attribute("lang", "de")


def test_days_and_times_are_the_tenants_wherever_the_viewer_is(visit: Open) -> None:
    near = visit("tonga", timezone_id="Pacific/Tongatapu")
    far = visit("tonga", timezone_id="America/Los_Angeles")
    for there in (near, far):
        settled(there)

    def days(there: Visit) -> list[str]:
        return there.page.locator(".title p, .days .under span").all_inner_texts()

    assert "Tongatapu time" in days(near)[0]
    # At midnight in Tonga one of them may be told first.
    eventually(lambda: (days(near), days(far)), lambda both: both[0] == both[1])


def test_money_without_a_rate_stands_beside_the_value_in_its_own_currency(visit: Open) -> None:
    card = visit("berlin").card("Pending Invoices")
    expect(card.locator(".unconverted")).to_have_text(
        re.compile(r"^Left out, for want of an exchange rate: CHF\s[\d,.]+ \(\d+ documents?\)$")
    )
    expect(card.locator(".amount")).to_have_text(re.compile(r"^€[\d,.]+$"))


def test_change_says_its_direction_and_news_in_words_and_shape(visit: Open) -> None:
    there = visit("demo")
    changes = there.page.locator(".card .delta")
    expect(changes.first).to_be_visible()
    for text in changes.all_inner_texts():
        assert re.match(r"(rising|falling|stable)(, (good|bad) news)?:", text)
    assert changes.locator(".shape").count() == changes.count()


def test_theme_is_chosen_with_a_button_and_remembered(visit: Open) -> None:
    there = visit("demo", color_scheme="light")
    there.expect_live()
    body = there.page.locator("body")
    expect(body).to_have_css("background-color", LIGHT_GROUND)
    for name in ("Light theme", "Dark theme"):
        there.page.locator(".theme").click()
        expect(there.page.locator(".theme")).to_have_attribute("title", name)
    expect(body).to_have_css("background-color", DARK_GROUND)
    there.page.reload()
    expect(body).to_have_css("background-color", DARK_GROUND)


def test_letters_work_and_can_be_switched_off(visit: Open) -> None:
    there = visit("demo")
    settled(there)
    tables = there.page.locator("details.data[open]")
    there.page.keyboard.press("t")
    expect(tables).to_have_count(there.page.locator("details.data").count())
    there.page.keyboard.press("t")
    expect(tables).to_have_count(0)
    there.page.keyboard.press("a")
    expect(there.page.locator("#alerts")).to_be_focused()
    there.page.keyboard.press("?")
    there.page.get_by_label("Single letters do something").uncheck()
    there.page.keyboard.press("Escape")
    there.page.keyboard.press("t")
    expect(tables).to_have_count(0)


def test_chart_is_read_day_by_day_with_the_keyboard_and_has_its_numbers_in_a_table(visit: Open) -> None:
    there = visit("demo")
    settled(there)
    chart = there.page.locator(".days day-chart")
    chart.focus()
    there.page.keyboard.press("Home")
    first = chart.locator(".tip").inner_text()
    there.page.keyboard.press("ArrowRight")
    expect(chart.locator(".tip")).not_to_have_text(first)
    there.page.keyboard.press("t")
    oldest = there.page.locator(".days tbody tr").last
    day, *amounts = oldest.locator("th, td").all_inner_texts()
    assert first.startswith(day)
    for amount in amounts:
        assert amount in first


def test_what_a_number_lacks_is_said_on_demand_and_stays_open_through_updates(visit: Open) -> None:
    there = visit("demo")
    settled(there)
    there.card("Daily Revenue").get_by_role("button").click()
    why = there.page.get_by_role("dialog", name="About Daily Revenue")
    expect(why.get_by_role("heading", name="What is missing")).to_be_visible()
    expect(why.get_by_role("listitem").first).to_be_visible()
    there.page.keyboard.press("r")
    expect(there.page.locator("#toast")).not_to_be_empty()
    expect(why).to_be_visible()


def test_score_is_told_in_sentences(visit: Open) -> None:
    there = visit("demo")
    settled(there)
    health = there.page.locator(".health")
    expect(health.get_by_role("listitem").first).to_contain_text(re.compile("^Profitability.*of revenue"))
    expect(health).to_contain_text(re.compile(r"Performance score [\d.]+ of 100, made of \d of 6 parts"))


def test_a_problem_shows_the_request_that_can_be_found_in_the_log(visit: Open) -> None:
    there = visit("no-such-business")
    expect(there.page.get_by_role("heading", name="There is no such business")).to_be_visible()
    expect(there.page.locator(".request code")).to_have_text(re.compile(r"^[0-9a-f]{32}$"))
