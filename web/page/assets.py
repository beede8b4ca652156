"""Files that are sent from memory: as they are or compressed, with the headers that every file has.

WhiteNoise and Flask's static folder would do less here: no tag from the content, no compression in memory, no request id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask import Response, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.settings import Settings
from web.http.encodings import gzipped, put_body
from web.http.problems import NotFound

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to be sent: as it is and compressed, with a tag that changes with its content."""

    body: bytes
    compressed: bytes
    content_type: str
    etag: str

    @classmethod
    def of(cls, body: bytes, content_type: str) -> Asset:
        return cls(body, gzipped(body, level=9), content_type, hashlib.sha256(body).hexdigest()[:20])


def filled(page: Path, **values: object) -> str:
    """A page with what the settings put into it."""
    pages = Environment(
        loader=FileSystemLoader(page.parent), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    return pages.get_template(page.name).render(**values)


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
            return response
        return put_body(response, asset, request)

    return send
