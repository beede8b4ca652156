"""What an owner does with the page: goes from a number to its documents and back, chooses a period, puts alerts aside."""

from __future__ import annotations

import re
from dataclasses import replace

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from tests.browser import answers
from tests.browser.conftest import Open
from tests.browser.made_up import MadeUp, looked_at
from tests.patience import PATIENCE


def commands(made: MadeUp) -> list[str]:
    return [request.url.split("/dashboard/")[1] for request in made.asked if request.method == "POST"]


def test_a_number_opens_its_documents_by_keyboard_and_the_way_back_leads_to_the_number(visit: Open) -> None:
    page = looked_at(visit).page
    number = page.locator('[data-figure="revenue"] .ask').first
    number.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Revenue")
    expect(dialog).to_contain_text("Nov 1 – 25, 2026")
    expect(dialog.locator(".figure")).to_contain_text("9 documents")
    expect(dialog.locator("tbody tr")).to_have_count(9)
    expect(dialog.locator("tbody tr").last).to_contain_text("no rate")
    moved = dialog.locator(".moved")
    expect(moved.locator("dt")).to_have_text(["Before: Oct 1 – 25, 2026", "In", "Out", "Changed", "Change"])
    expect(dialog.get_by_role("link", name="Download CSV")).to_have_attribute(
        "href", re.compile(r"/receipts/revenue/\?")
    )
    assert page.url.endswith("#documents/revenue?period=month_to_date")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(number).to_be_focused()
    assert "#documents" not in page.url
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    page.go_back()
    expect(dialog).to_have_count(0)


def test_what_moved_a_number_is_listed_and_a_close_that_was_another_is_named(visit: Open) -> None:
    page = looked_at(visit).page
    page.locator('[data-metric="Pending Invoices"] .value .ask').click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".moved")).to_contain_text("Before: yesterday’s close")
    expect(dialog.locator(".moved")).to_contain_text("by today’s documents 6 were open")
    dialog.get_by_role("link", name="The documents that moved it").press("Enter")
    expect(dialog.get_by_role("heading", level=2)).to_have_text("What moved it: Pending invoices")
    expect(dialog.get_by_role("heading", level=2)).to_be_focused()
    expect(dialog.locator("header .note")).to_have_text("as of now against yesterday’s close")
    expect(dialog.locator("tbody .move")).to_have_text(["Changed", *["Out", "In"] * 4])
    assert page.url.endswith("#documents/pending-invoices?changes=true")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    dialog.get_by_role("link", name="All documents of this number").click()
    expect(dialog.get_by_role("heading", level=2)).to_have_text("Pending invoices")
    page.goto(page.url.split("#")[0] + "#documents/client-activity?changes=true")
    expect(dialog.locator(".moved")).to_contain_text("Client Activity5 against 6")


def test_every_number_of_the_page_opens_documents_of_a_known_number(visit: Open) -> None:
    page = looked_at(visit, "28 currencies").page
    known = {
        "daily-revenue", "daily-expenses", "cash-flow", "pending-invoices", "overdue-invoices", "quote-conversion",
        "client-activity", "outstanding", "customer-credit", "forecast", "revenue", "expenses", "profit", "money-in",
        "money-out",
    }  # fmt: skip
    addresses = page.locator(".ask").evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    assert {re.split(r"[/?]", address)[1] for address in addresses} == known


def test_a_shared_address_opens_the_same_documents(visit: Open) -> None:
    made = looked_at(visit, address="#documents/outstanding?bucket=90%2B")
    expect(made.page.get_by_role("dialog", name="Outstanding: More than 90 days late")).to_be_visible()
    assert any("/receipts/outstanding/?bucket=90%2B" in request.url for request in made.asked)


def test_the_chosen_period_sticks(visit: Open) -> None:
    page = looked_at(visit).page
    expect(page.locator(".period .against")).to_have_text("Nov 1 – 25 against Oct 1 – 25")
    page.get_by_label("Period").select_option("Last quarter")
    expect(page.get_by_role("heading", name="Last quarter")).to_be_visible()
    assert "period=last_quarter" in page.url
    page.goto(page.url.split("?")[0])
    expect(page.get_by_role("heading", name="Last quarter")).to_be_visible()


def test_an_acknowledgement_can_be_taken_back_until_it_is_sent(visit: Open) -> None:
    made = looked_at(visit)
    page = made.page
    acknowledge = page.get_by_role("button", name="Acknowledge: The largest").first
    acknowledge.click()
    expect(page.locator(".alerts .note")).to_have_text("1")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".alerts .note")).to_have_text("2")
    acknowledge.click()
    with page.expect_response("**/acknowledge/", timeout=20_000 * PATIENCE):
        page.mouse.move(0, 0)
    assert len(commands(made)) == 1


def test_many_alerts_are_few_lines(visit: Open) -> None:
    page = looked_at(visit, "200 alerts").page
    box = page.locator("#alerts").bounding_box()
    assert box is not None
    assert box["height"] < 900
    expect(page.locator("#alerts .same summary").first).to_have_text(re.compile(r"^\d\d more about the same$"))


def test_a_loss_while_the_day_lasts_does_not_shout(visit: Open) -> None:
    page = looked_at(visit).page
    loss = page.locator('#alerts [data-level="critical"]').first
    expect(loss).to_contain_text("so far today")
    expect(page.locator("#bell")).to_have_attribute("data-level", "warning")


def test_an_announcement_can_be_read_again_until_it_is_dismissed(visit: Open) -> None:
    made = looked_at(visit)
    page = made.page
    expect(page.locator("#state")).to_have_text("Live")
    made.push(
        {
            "type": "notification.new",
            "id": "n1",
            "level": "info",
            "message": "Closed on Friday.",
            "timestamp": answers.AT,
        }
    )
    expect(page.locator(".announcements")).to_contain_text("Closed on Friday.")
    page.reload()
    expect(page.locator(".announcements")).to_contain_text("Closed on Friday.")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".announcements")).to_have_count(0)


def test_a_tap_on_a_chart_shows_its_numbers_and_they_stay(visit: Open) -> None:
    page = looked_at(visit, has_touch=True, viewport={"width": 390, "height": 844}).page
    page.locator(".cash day-chart .plot").tap(position={"x": 60, "y": 60})
    expect(page.locator(".cash .tip")).to_contain_text("Running total")
    page.locator(".debts h2").tap()
    expect(page.locator(".cash .tip")).to_have_count(0)


def test_nothing_jumps_while_the_page_fills(visit: Open) -> None:
    made = looked_at(visit)
    page = made.page
    page.add_init_script(
        "window.jumped = 0; new PerformanceObserver((list) => list.getEntries().forEach((entry) => (jumped += entry.value)))"
        ".observe({ type: 'layout-shift', buffered: true })"
    )
    page.reload()
    expect(page.locator(".incoming li").first).to_be_attached()
    assert page.evaluate("jumped") < 0.1


def test_a_business_that_cannot_be_computed_is_told_why(visit: Open) -> None:
    made = looked_at(visit, "200 alerts")
    expect(made.page.locator("#state")).to_have_text("Live")
    made.push({"type": "dashboard.status", "stale": True, "since": answers.AT, "reason": "computation_failing"})
    notice = made.page.locator(".notice").first
    expect(notice).to_contain_text("cannot be computed: The largest of 8")
    expect(notice).to_contain_text("until the cause is mended")


def test_what_a_view_hides_is_left_out(visit: Open) -> None:
    page = looked_at(visit, "staff").page
    expect(page.locator("[data-metric]")).to_have_count(3)
    for heading in ("This month so far", "Cash coming and going", "Who owes you", "How business is going"):
        expect(page.get_by_role("heading", name=heading)).to_have_count(0)
    expect(page.get_by_role("heading", name="Top clients")).to_be_visible()


def test_an_alert_is_said_in_the_viewers_language(visit: Open) -> None:
    made = looked_at(visit, locale="de-DE")
    made.business = replace(made.business, alerts=2)
    page = made.page
    expect(page.get_by_role("heading", name="Dieser Monat bisher")).to_be_visible()
    said = page.evaluate(
        """async () => {
            const { alertText } = await import("/static/alert_text.js");
            const { makeFormat } = await import("/static/format.js");
            const { loadWords } = await import("/static/words.js");
            const t = await loadWords(["de-DE"], ["de", "en"], (language) => `/static/messages-${language}.json`);
            const format = makeFormat({ currency: "USD", timezone: "UTC" }, ["de-DE"]);
            const largest = { id: "7", reference: "INV-7", amount: 1951.94, client: { id: "c", name: "Theater" } };
            const params = { count: 8, amount: 9787.91, currency: "USD", threshold: 5, unconverted: [], largest };
            const change = { month: "2026-10", number: "revenue", before: 1000, after: 550, documents: ["CN-1042"] };
            return [
                { rule: "overdue_count", params, message: "8 invoices are overdue" },
                { rule: "restatement", params: { changes: [change], more: 2, currency: "USD" }, message: "October changed" },
            ].map((alert) => alertText(alert, { t, format }).replaceAll("\u00a0", " "));
        }"""
    )
    assert said == [
        "8 Rechnungen sind überfällig: 9.787,91 $. Die größte ist INV-7 von Theater: 1.951,94 $.",
        "Oktober 2026 hat sich geändert: Umsatz −450,00 $ durch CN-1042. Ebenso 2 frühere Werte.",
    ]


def test_pages_of_two_versions_are_not_put_together(visit: Open) -> None:
    read = looked_at(visit).page.evaluate(
        """async () => {
            const { Documents, listOf } = await import("/static/documents.js");
            // The version changes after the first page has been read: what was second is first now.
            const served = () => {
                let reads = 0;
                return async (number, { page = 1 }) => {
                    const version = reads++ ? 2 : 1;
                    const next = Number(page) === 1 ? `/receipts/${number}/?page=2` : null;
                    return { version, items: [`page ${page} of ${version}`], next };
                };
            };
            const documents = new Documents(served(), () => {});
            await documents.open({ number: "outstanding", narrowed: {} }, {});
            await documents.more();
            const begun = documents.shown.items;
            await documents.more();
            return [begun, documents.shown.items, await listOf(served(), "outstanding")];
        }"""
    )
    assert read == [["page 1 of 2"], ["page 1 of 2", "page 2 of 2"], ["page 1 of 2", "page 2 of 2"]]


def test_the_hosts_addresses_are_offered_where_they_are_set(visit: Open) -> None:
    made = looked_at(visit)
    page = made.page
    settings = {"document": "https://app.example.com/{kind}/{id}", "sign-in": "https://app.example.com/login"}

    def with_settings(route: Route) -> None:
        answer = route.fetch()
        text = answer.text().replace('name="daybook-receipts" content=""', 'name="daybook-receipts" content="yes"')
        for name, value in settings.items():
            text = text.replace(f'name="daybook-{name}" content=""', f'name="daybook-{name}" content="{value}"')
        route.fulfill(response=answer, body=text)

    page.route(re.compile(r"//[^/]+/(#.*)?$"), with_settings)
    page.reload()
    page.locator(".debts .figure .ask").first.click()
    document = page.get_by_role("dialog").get_by_role("link", name="INV-2026-0000")
    expect(document).to_have_attribute("href", "https://app.example.com/invoice/D-0")
    page.unroute("**/api/dashboard/**")
    page.goto(page.url.split("#")[0])
    expect(page.get_by_role("link", name="Sign in", exact=True)).to_have_attribute("href", settings["sign-in"])
    expect(page.locator("#state a")).to_have_attribute("href", settings["sign-in"])


def test_enter_on_a_chart_opens_the_documents_of_that_day(visit: Open) -> None:
    page = looked_at(visit).page
    page.locator(".days day-chart").focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Revenue")).to_contain_text("Wednesday, November 25, 2026")
