"""The dashboard page: its files with what the settings put into it, and the demo's sign-in. No tenant data, no token."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from flask import Flask, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from shared.settings import Settings
from web.access.auth import COOKIE, Auth
from web.http.problems import TokenInvalid
from web.page.assets import TYPES, Asset, content_security_policy, filled, sender
from web.page.bundle import bundle

STATIC = Path(__file__).parent / "static"
# Not a module: it runs before the first paint. Modules that app.js imports are fetched early, all at once.
_CLASSIC = frozenset({"theme.js"})
# For other people's pages: one file each, and what only these are made of.
ELEMENTS = frozenset({"elements.js", "metric.js"})
_ONLY_IN_ELEMENTS = frozenset({"element.js", "live.js", "styles.js"})
# Tokens and ground rules come first: the parts' rules stand on them.
_STYLES_FIRST = ("tokens.css", "base.css")
_MESSAGES = "messages-"


def load_assets(settings: Settings, *, receipts: bool = False) -> dict[str, Asset]:
    """Every file of static/, by name; what a request names is looked up here and never on the disk.

    receipts: whether this server has the documents behind a number, so that numbers lead to them.
    """
    files = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}
    files |= _more_messages(settings.messages)
    elements = {name: bundle(name, files) for name in ELEMENTS}
    files = {name: body for name, body in files.items() if name not in _ONLY_IN_ELEMENTS}
    files["languages.json"] = json.dumps(_languages(files)).encode()
    files["index.html"] = _page(settings, sorted(files), receipts).encode()
    return {name: Asset.of(body, TYPES[Path(name).suffix]) for name, body in (files | elements).items()}


def _languages(names: Iterable[str]) -> list[str]:
    return [Path(name).stem.removeprefix(_MESSAGES) for name in sorted(names) if name.startswith(_MESSAGES)]


def _more_messages(folder: str | None) -> dict[str, bytes]:
    """The catalogues of the operator's folder, under the names of the page's own, which they may replace.

    Raises ValueError for a file that is not a JSON object: the start fails, not somebody's page.
    """
    found = {}
    for path in sorted(Path(folder).glob("*.json")) if folder else ():
        found[f"{_MESSAGES}{path.name}"] = path.read_bytes()
        if not isinstance(json.loads(path.read_bytes()), dict):
            raise ValueError(f"{path} holds no catalogue: it must be one JSON object")
    return found


def _page(settings: Settings, names: list[str], receipts: bool) -> str:
    return filled(
        STATIC / "index.html",
        base=settings.base_path,
        origins=" ".join(settings.allowed_origins),
        sweep_s=settings.cache_timeout_s,
        receipts="yes" if receipts else "",
        sign_in_url=settings.sign_in_url or "",
        document_url=settings.document_url or "",
        languages=" ".join(_languages(names)),
        modules=[name for name in names if name.endswith(".js") and name not in _CLASSIC | ELEMENTS],
        styles=[*_STYLES_FIRST, *(name for name in names if name.endswith(".css") and name not in _STYLES_FIRST)],
    )


def register(app: Flask, *, settings: Settings, auth: Auth) -> None:
    """The page at `/`, its files under `/static/`, and, for the demo only, `/demo/sign-in`."""
    receipts = any("/receipts/" in rule.rule for rule in app.url_map.iter_rules())
    send = sender(load_assets(settings, receipts=receipts), content_security_policy(settings))
    app.add_url_rule("/", endpoint="page", view_func=lambda: send("index.html"), methods=["GET"])
    app.add_url_rule("/static/<name>", endpoint="static", view_func=send, methods=["GET"])
    if settings.demo:
        app.add_url_rule("/demo/sign-in", endpoint="demo_sign_in", view_func=_sign_in(auth), methods=["GET"])


def _sign_in(auth: Auth) -> Callable[[], AnyResponse]:
    """The link that `bin/run` prints: exchanges the demo token for the cookie, and leaves no trace of it in the address.

    In production the host product sets the cookie itself; the API never takes a token from an address.
    """

    def sign_in() -> AnyResponse:
        token = request.args.get("token", "")
        home = f"{request.script_root}/"
        response = redirect(home, 303)
        try:
            caller = auth.verify(token)
        except TokenInvalid:
            # The page says what to do about it better than an error document.
            response.delete_cookie(COOKIE, path=home)
        else:
            lifetime_s = max(0, int(caller.expires_at - time.time()))
            response.set_cookie(
                COOKIE,
                token,
                max_age=lifetime_s,
                path=home,
                secure=request.is_secure,
                httponly=True,
                samesite="Lax",
            )
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return sign_in
