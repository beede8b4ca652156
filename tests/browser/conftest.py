"""One stack and one browser for all tests here that a process runs, ended after the last of them; every test gets a page of
its own, watched for what it must never do."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright._impl._api_structures import SetCookieParam
from playwright.sync_api import Browser, BrowserContext, Locator, Page, WebSocketRoute, expect, sync_playwright

from demo.load import load_demo
from shared.keys import Keys
from tests.browser.elements import Product, product
from tests.browser.host import host_product
from tests.browser.stack import Stack
from tests.conftest import TEMPLATE, Services
from tests.days import today
from tests.patience import PATIENCE
from tests.rows import Rows, add_tenant
from tests.servers import PROJECT
from tests.tokens import token
from web.access.auth import COOKIE
from workers.database import make_engine

ARTEFACTS = PROJECT / "artefacts"
# Chromium looks up and asks its maker's hosts at every start unless told not to.
_SILENT = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
Open = Callable[..., "Visit"]
expect.set_options(timeout=5_000 * PATIENCE)


@dataclass(frozen=True)
class Visit:
    """A page of one tenant, and what tests read on it."""

    page: Page
    context: BrowserContext

    @property
    def state(self) -> Locator:
        return self.page.get_by_role("status")

    def card(self, metric: str) -> Locator:
        return self.page.locator(f'[data-metric="{metric}"]')

    def value(self, metric: str) -> Locator:
        return self.card(metric).locator(".number")

    def sockets(self, url: re.Pattern[str]) -> list[WebSocketRoute]:
        """From now on the page's sockets to these addresses, as it opens them; a test may speak in the server's name."""
        found: list[WebSocketRoute] = []

        def pass_on(route: WebSocketRoute) -> None:
            found.append(route)
            route.connect_to_server()

        self.page.route_web_socket(url, pass_on)
        return found

    def expect_live(self, *, within_s: float = 10) -> None:
        expect(self.state).to_have_text("Live", timeout=within_s * PATIENCE * 1000)


@pytest.fixture(scope="package")
def host() -> Iterator[str]:
    """The origin of a product that may show the page in a frame."""
    with host_product() as origin:
        yield origin


@pytest.fixture(scope="package")
def books() -> Iterator[Product]:
    """A product whose own pages hold elements of the dashboard."""
    with product() as served:
        yield served


@pytest.fixture(scope="package")
def stack(services: Services, host: str, books: Product) -> Iterator[Stack]:
    """The running stack over a database that holds the demo tenants."""
    name = f"browser_{uuid.uuid4().hex}"
    with psycopg.connect(services.postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        url = services.database_url(name)
        engine = make_engine(url)
        load_demo(engine)
        engine.dispose()
        with Stack(
            url,
            services.redis_url,
            Keys(f"b{uuid.uuid4().hex[:12]}"),
            {"DASHBOARD_ALLOWED_ORIGINS": f"{host},{books.origin}"},
        ) as stack:
            yield stack
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def business(stack: Stack) -> str:
    """A tenant of the test's own, in UTC and USD, with one invoice of today over 100."""
    tenant_id = f"biz-{uuid.uuid4().hex[:8]}"
    with stack.database() as db:
        add_tenant(db, tenant_id, name="Test Business").invoice(today(), 100)
    return tenant_id


def add_invoice(stack: Stack, tenant_id: str, total: int) -> None:
    """One more committed row."""
    with stack.database() as db:
        Rows(db, tenant_id).invoice(today(), total, invoice_id=uuid.uuid4().hex)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium: its headless shell where that is installed, which needs half the processor time."""
    binary = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if binary is None:
        pytest.skip("no Chromium is installed; bin/test installs one when run as root")
    # As root there is no sandbox to be had.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=[*_SILENT, *sandbox])
        yield browser
        browser.close()


@pytest.fixture
def visit(stack: Stack, browser: Browser) -> Iterator[Open]:
    """Opens pages: `visit(tenant_id)` signs in by the demo's link; other arguments describe the browser context.

    No page may ask another host, throw, or break its own content security policy.
    """
    with ExitStack() as stack_of_contexts:

        def open_page(tenant_id: str | None = "demo", **options: object) -> Visit:
            return stack_of_contexts.enter_context(_watched(stack, browser, tenant_id, options))

        yield open_page


@contextmanager
def _watched(stack: Stack, browser: Browser, tenant_id: str | None, options: dict[str, object]) -> Iterator[Visit]:
    # Wherever the tests run: the page follows what its viewer prefers.
    viewer = {"locale": "en-US", "timezone_id": "UTC"}
    described = {"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce", **viewer, **options}
    context = browser.new_context(**described)  # type: ignore[arg-type]
    context.set_default_timeout(10_000 * PATIENCE)
    addresses: list[str] = []
    faults: list[str] = []
    context.on("request", lambda request: addresses.append(request.url))
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
    page = context.new_page()
    page.on("websocket", lambda socket: addresses.append(socket.url))
    try:
        yield _opened(page, context, stack, tenant_id)
    finally:
        context.close()
    ours = (stack.web.url, *stack.web_env["DASHBOARD_ALLOWED_ORIGINS"].split(","))
    assert {urlsplit(address).netloc for address in addresses} <= {urlsplit(origin).netloc for origin in ours}
    assert not faults


def _opened(page: Page, context: BrowserContext, stack: Stack, tenant_id: str | None) -> Visit:
    page.goto(stack.web.url if tenant_id is None else stack.sign_in_url(tenant_id))
    return Visit(page, context)


def cookie(stack: Stack, tenant_id: str, *, ttl_s: float = 3600) -> SetCookieParam:
    """The host product's cookie."""
    value = token(tenant_id, ttl_s=ttl_s)
    return {"name": COOKIE, "value": value, "url": stack.web.url, "httpOnly": True, "sameSite": "Lax"}


def keep_screenshot(page: Page, name: str) -> None:
    """A picture of the whole page in artefacts/, where somebody asks for pictures: a hundred of them cost half a minute."""
    if os.environ.get("DAYBOOK_PICTURES") == "1":
        ARTEFACTS.mkdir(exist_ok=True)
        page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)
