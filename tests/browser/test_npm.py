"""The npm package, packed, in an app of React and Vue that Vite builds: hooks, composable, elements, one connection."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import expect

from cli.local.node import installed
from tests.browser.conftest import Open, add_invoice
from tests.browser.elements import Product
from tests.browser.stack import Stack
from tests.patience import PATIENCE
from tests.servers import PROJECT
from tests.tokens import token

APP, PACKAGE = PROJECT / "tests" / "npm", PROJECT / "packages" / "npm"
COMPILER = PROJECT / "tests" / "typescript"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """The app's files, with the package installed as npm would: unpacked from what `npm pack` made. For one test only:
    two processes would unpack it into one folder."""
    made = tmp_path
    environment = installed(APP)
    pack = ["npm", "pack", "--pack-destination", str(made), "--silent"]
    subprocess.run(pack, cwd=PACKAGE, env=environment, check=True, capture_output=True)
    subprocess.run(["tar", "-xzf", next(made.glob("*.tgz")), "-C", made], check=True)
    target = APP / "node_modules" / "daybook"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(made / "package", target)
    vite = [
        "node",
        "node_modules/vite/bin/vite.js",
        "build",
        "--outDir",
        str(made / "app"),
        "--emptyOutDir",
        "--logLevel",
        "warn",
    ]
    done = subprocess.run(vite, cwd=APP, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return made / "app"


def check_types() -> None:
    """What the app may do with the package is what its types say, and nothing else (types.tsx)."""
    environment = installed(COMPILER)
    tsc = ["node", str(COMPILER / "node_modules/typescript/bin/tsc"), "-p", str(APP)]
    done = subprocess.run(tsc, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_an_app_of_react_and_vue_shows_the_same_live_number_over_one_connection(
    visit: Open, stack: Stack, books: Product, business: str, built: Path
) -> None:
    books.files = {f"/{path.relative_to(built)}": path.read_bytes() for path in built.rglob("*") if path.is_file()}
    books.files["/"] = books.files["/index.html"]
    books.allow(stack.web.url)
    page = visit(None).page
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(urlsplit(socket.url).path))
    page.goto(f"{books.origin}/?{urlencode({'daybook': stack.web.url, 'token': token(business)})}")
    expect(page.locator("#hooks")).to_have_text(f"{business} 100")
    add_invoice(stack, business, 50)
    expect(page.locator("#hooks")).to_have_text(f"{business} 150", timeout=10_000 * PATIENCE)
    expect(page.locator("#composable")).to_have_text("150")
    expect(page.locator("daybook-metric .number")).to_have_text("$150.00")
    expect(page.locator("daybook-alerts section")).to_be_visible()
    expect(page.locator("#hooks")).to_have_attribute("data-alerts", re.compile(r"^\d+$"))
    assert sum("notifications" not in path for path in sockets) == 1
    check_types()
