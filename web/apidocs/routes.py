"""/openapi.json, /asyncapi.json, and /docs: a page of our own that shows both and tries them, without another host."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from shared import strict_json
from shared.settings import Settings
from web.apidocs.asyncapi import Server, asyncapi_document
from web.apidocs.openapi import openapi_document
from web.page.assets import TYPES, Asset, content_security_policy, filled, sender

PAGE = Path(__file__).parent / "page"


def register(app: Flask, *, settings: Settings) -> None:
    """The last routes: the OpenAPI document holds every one, these included."""
    send = sender(_assets(settings), content_security_policy(settings))

    @functools.cache
    def openapi() -> bytes:
        return _encoded(openapi_document(app, settings))

    def show_asyncapi() -> Response:
        server = Server(host=request.host, is_secure=request.is_secure, base_path=settings.base_path)
        return _json(_encoded(asyncapi_document(settings.intervals, server)))

    app.add_url_rule("/openapi.json", endpoint="openapi", view_func=lambda: _json(openapi()), methods=["GET"])
    app.add_url_rule("/asyncapi.json", endpoint="asyncapi", view_func=show_asyncapi, methods=["GET"])
    app.add_url_rule("/docs", endpoint="docs", view_func=lambda: send("docs.html"), methods=["GET"])
    app.add_url_rule("/docs/<name>", endpoint="docs_file", view_func=send, methods=["GET"])


def _assets(settings: Settings) -> dict[str, Asset]:
    files = {path.name: path.read_bytes() for path in sorted(PAGE.iterdir())}
    files["docs.html"] = filled(PAGE / "docs.html", base=settings.base_path).encode()
    return {name: Asset.of(body, TYPES[Path(name).suffix]) for name, body in files.items()}


def _encoded(document: dict[str, Any]) -> bytes:
    return strict_json.dumps(document)


def _json(body: bytes) -> Response:
    response = Response(body, content_type="application/json")
    response.headers["Cache-Control"] = "no-cache"
    return response
