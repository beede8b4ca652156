"""Whatever a business is like and whatever it is looked at on: nothing is cut off, covered or outside, no row has a hole."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.answers import BUSINESSES
from tests.browser.conftest import Open, keep_screenshot
from tests.browser.made_up import looked_at

FAULTS = Path(__file__).with_name("screens.js").read_text()
WIDTHS = (1440, 1024, 768, 390)
PAPER = 720


def faults(page: Page) -> list[str]:
    found: list[str] = page.evaluate(FAULTS)
    return found


@pytest.mark.parametrize("name", BUSINESSES)
def test_nothing_is_cut_off_covered_or_outside_on_any_screen_or_paper(visit: Open, name: str) -> None:
    found: dict[str, list[str]] = {}
    page = looked_at(visit, name).page
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found[f"{width}"] = faults(page)
        keep_screenshot(page, f"screen-{name.replace(' ', '-')}-{width}")
    page.emulate_media(color_scheme="dark")
    found["dark"] = faults(page)
    page.set_viewport_size({"width": PAPER, "height": 1000})
    page.emulate_media(media="print", color_scheme="light")
    found["print"] = [fault for fault in faults(page) if not fault.startswith("a target")]
    keep_screenshot(page, f"screen-{name.replace(' ', '-')}-print")
    assert not {where: what for where, what in found.items() if what}


def test_what_is_cut_off_covered_or_outside_is_found(visit: Open) -> None:
    page = looked_at(visit).page
    page.evaluate(
        """() => {
            const spoil = (selector, rules) => Object.assign(document.querySelector(selector).style, rules);
            spoil(".debts h2", { width: "20px", overflow: "hidden", whiteSpace: "nowrap" });
            spoil(".figures .number", { position: "relative", top: "20px" });
            spoil(".quotes h2", { position: "relative", left: "500px" });
            spoil(".side", { maxWidth: "300px" });
            spoil(".main", { maxWidth: "700px" });
            spoil("button.about", { minWidth: 0, width: "12px" });
        }"""
    )
    found = "\n".join(faults(page))
    for what in ("cut off", "covers", "beyond its panel", "a hole of", "a target of 12"):
        assert what in found


def test_documents_fit_on_every_screen_too(visit: Open) -> None:
    for name in ("huge", "long names"):
        page = looked_at(visit, name, address="#documents/revenue?period=month_to_date").page
        expect(page.locator(".moved")).to_be_visible()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert not faults(page)
        keep_screenshot(page, f"documents-{name.replace(' ', '-')}-390")
