"""The dashboard page: its files with what the settings put into it, and the demo's sign-in. No tenant data, no token."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask, redirect, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.wrappers import Response as AnyResponse

from shared.settings import Settings
from web.access.auth import COOKIE, Auth
from web.http.problems import TokenInvalid
from web.page.assets import TYPES, Asset, content_security_policy, sender

STATIC = Path(__file__).parent / "static"
# Not a module: it runs before the first paint. Modules that app.js imports are fetched early, all at once.
_CLASSIC = frozenset({"theme.js"})


def load_assets(settings: Settings) -> dict[str, Asset]:
    """Every file of static/, by name; what a request names is looked up here and never on the disk."""
    files = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}
    files["index.html"] = _filled("index.html", settings, sorted(files)).encode()
    return {name: Asset.of(body, TYPES[Path(name).suffix]) for name, body in files.items()}


def _filled(page: str, settings: Settings, names: list[str]) -> str:
    pages = Environment(
        loader=FileSystemLoader(STATIC), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    return pages.get_template(page).render(
        origins=" ".join(settings.allowed_origins),
        sweep_s=settings.cache_timeout_s,
        modules=[name for name in names if name.endswith(".js") and name not in _CLASSIC],
    )


def register(app: Flask, *, settings: Settings, auth: Auth) -> None:
    """The page at `/`, its files under `/static/`, and, for the demo only, `/demo/sign-in`."""
    send = sender(load_assets(settings), content_security_policy(settings))
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
        response = redirect("/", 303)
        try:
            caller = auth.verify(token)
        except TokenInvalid:
            # The page says what to do about it better than an error document.
            response.delete_cookie(COOKIE)
        else:
            lifetime_s = max(0, int(caller.expires_at - time.time()))
            response.set_cookie(
                COOKIE, token, max_age=lifetime_s, secure=request.is_secure, httponly=True, samesite="Lax"
            )
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return sign_in
