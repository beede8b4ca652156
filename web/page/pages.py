"""The dashboard page: static files from memory with their headers, and the demo's sign-in. No tenant data, no token."""

from __future__ import annotations

import gzip
import hashlib
import html
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from shared.settings import Settings
from web.access.auth import COOKIE
from web.http.problems import NotFound, TokenInvalid
from web.services import Services

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
}
# Not a module: it runs before the first paint. Modules that app.js imports are fetched early, all at once.
_CLASSIC = frozenset({"theme.js"})


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to be sent: as it is and compressed, with a tag that changes with its content."""

    body: bytes
    compressed: bytes
    content_type: str
    etag: str

    @classmethod
    def of(cls, body: bytes, content_type: str) -> Asset:
        return cls(body, gzip.compress(body, 9, mtime=0), content_type, hashlib.sha256(body).hexdigest()[:20])


def load_assets(settings: Settings) -> dict[str, Asset]:
    """Every file of static/, by name; what a request names is looked up here and never on the disk."""
    files = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}
    files["index.html"] = _filled(files["index.html"].decode(), settings, sorted(files)).encode()
    return {name: Asset.of(body, TYPES[Path(name).suffix]) for name, body in files.items()}


def _filled(page: str, settings: Settings, names: list[str]) -> str:
    modules = [name for name in names if name.endswith(".js") and name not in _CLASSIC]
    values = {
        "{origins}": html.escape(" ".join(settings.allowed_origins)),
        "{sweep_s}": str(settings.cache_timeout_s),
        "{preloads}": "\n".join(f'<link rel="modulepreload" href="/static/{name}">' for name in modules),
    }
    for placeholder, value in values.items():
        page = page.replace(placeholder, value)
    return page


def content_security_policy(settings: Settings) -> str:
    """Nothing inline, nothing from elsewhere; only allowed origins may put the page into a frame."""
    framers = " ".join(("'self'", *settings.allowed_origins))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {framers}",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def register(app: Flask, services: Services) -> None:
    """The page at `/`, its files under `/static/`, and, for the demo only, `/demo/sign-in`."""
    settings = services.settings
    send = sender(load_assets(settings), content_security_policy(settings))
    app.add_url_rule("/", endpoint="page", view_func=lambda: send("index.html"), methods=["GET"])
    app.add_url_rule("/static/<name>", endpoint="static", view_func=send, methods=["GET"])
    if settings.demo:
        app.add_url_rule("/demo/sign-in", endpoint="demo_sign_in", view_func=_sign_in(services), methods=["GET"])


def sender(assets: dict[str, Asset], policy: str) -> Callable[[str], Response]:
    """A view that sends the asset of a name, with the headers that every file has; raises NotFound."""

    def send(name: str) -> Response:
        asset = assets.get(name)
        if asset is None:
            raise NotFound()
        response = Response(content_type=asset.content_type)
        response.set_etag(asset.etag, weak=True)
        response.vary.add("Accept-Encoding")
        # Asked for again each time and answered with 304: a deploy is seen at once, and no name carries a hash.
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Content-Security-Policy"] = policy
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=()"
        if request.if_none_match.contains_weak(asset.etag):
            response.status_code = 304
        elif request.accept_encodings.quality("gzip") > 0:
            response.headers["Content-Encoding"] = "gzip"
            response.data = asset.compressed
        else:
            response.data = asset.body
        return response

    return send


def _sign_in(services: Services) -> Callable[[], AnyResponse]:
    """The link that `bin/run` prints: exchanges the demo token for the cookie, and leaves no trace of it in the address.

    In production the host product sets the cookie itself; the API never takes a token from an address.
    """

    def sign_in() -> AnyResponse:
        token = request.args.get("token", "")
        response = redirect("/", 303)
        try:
            caller = services.auth.verify(token)
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
