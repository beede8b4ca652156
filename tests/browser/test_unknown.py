"""What the page says of money that is not known: left out for want of a rate, or not in the books. In words, everywhere."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests import days
from tests.browser.conftest import Open, keep_screenshot
from tests.browser.stack import Stack
from tests.rows import Rows, add_tenant

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def new_tenant(stack: Stack, **columns: object) -> str:
    tenant_id = f"unknown-{uuid.uuid4().hex[:8]}"
    with stack.database() as db:
        add_tenant(db, tenant_id, name="Much Is Unknown", **columns)
    return tenant_id


@pytest.fixture
def foreign(stack: Stack) -> str:
    """USD books with tugriks in every block, and no rate for the tugrik."""
    tenant_id, today = new_tenant(stack), days.today()
    with stack.database() as db:
        rows = Rows(db, tenant_id)
        rows.client("c1", name="Late Client")
        rows.invoice(today - timedelta(days=10), 9000, currency="MNT", due_date=today + timedelta(days=5))
        rows.invoice(today - timedelta(days=40), 70, client_id="c1", due_date=today - timedelta(days=3))
        rows.expense(
            today - timedelta(days=9), 5000, currency="MNT", due_date=today + timedelta(days=6), category="Rent"
        )
        rows.quote("sent", today, 5000, currency="MNT", expiry_date=today + timedelta(days=20))
        rows.payment(today - timedelta(days=4), 500, currency="MNT", client_id="c1")
    return tenant_id


@pytest.mark.parametrize(("name", "viewport"), [("wide", WIDE), ("phone", PHONE)])
def test_what_has_no_rate_is_said_in_every_block(
    visit: Open, foreign: str, name: str, viewport: dict[str, int]
) -> None:
    there = visit(foreign, viewport=viewport, locale="en-US")
    there.expect_live(within_s=30)
    page = there.page
    expect(page.locator(".notice")).to_contain_text(
        re.compile(r"No exchange rate from MNT to USD since \w{3} \d+, 20\d\d")
    )
    words = {
        "debts": "MNT 9,000.00 (1 document)",
        "cash": "MNT 4,000.00 (2 documents)",
        "clients": "MNT 9,000.00 (1 document)",
        "categories": "MNT 5,000.00 (1 document)",
        "quotes": "MNT 5,000.00 (1 document)",
    }
    for panel, text in words.items():
        expect(page.locator(f".{panel} .unconverted").first).to_have_text(
            f"Left out, for want of an exchange rate: {text}"
        )
    expect(page.locator(".debts")).to_contain_text(
        "Clients’ credit is not known: no exchange rate for MNT 500.00 (1 document)."
    )
    expect(page.locator(".cash")).to_contain_text("change from today")
    expect(page.locator(".cash .bridge .late")).to_have_text(re.compile(r"^Overdue invoices, on no day.*\$70\.00$"))
    page.keyboard.press("t")
    expect(page.locator(".debtors li").first).to_have_text("Late Clientoldest 3 days late · 1 invoice$70.00")
    expect(
        page.get_by_role("region", name="Expected cash of the coming 30 days").get_by_role("row").nth(6)
    ).to_contain_text("not known")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_screenshot(page, f"unknown-{name}")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_balances_without_allocations_are_said_to_be_unknown(stack: Stack, visit: Open) -> None:
    tenant_id, today = new_tenant(stack, basis="cash", cash_balance=1234, cash_balance_on=days.today()), days.today()
    with stack.database() as db:
        rows = Rows(db, tenant_id)
        rows.invoice(today - timedelta(days=30), 1000, balance=0)
        rows.payment(today - timedelta(days=20), 1000)
    there = visit(tenant_id, locale="en-US")
    there.expect_live(within_s=30)
    card = there.card("Daily Revenue")
    expect(card.locator(".change")).to_have_text("Not known: no payment says what it paid for")
    expect(there.page.locator(".debts")).to_contain_text("Clients’ credit is not known: nothing says which payments")
    expect(there.page.locator(".cash .bridge .start")).to_contain_text("$1,234.00")
