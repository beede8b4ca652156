"""Cross-origin reads for the origins that the settings name, exactly; for everybody else there is no header at all.

Of the API, and of the page's files: elements in other pages are made of them.
"""

from __future__ import annotations

from flask import Flask, Request, Response, request

from shared.settings import Settings

_METHODS = "GET, POST, OPTIONS"
_REQUEST_HEADERS = "Authorization, Content-Type, If-None-Match, Idempotency-Key, Last-Event-ID, X-Request-ID"
_RESPONSE_HEADERS = "ETag, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, X-Request-ID"
_PREFLIGHT_KEPT_S = "600"


def register(app: Flask, settings: Settings) -> None:
    """Answer preflights of the API and mark answers for the allowed origins."""
    allowed = frozenset(origin.lower() for origin in settings.allowed_origins)
    if not allowed:
        return

    @app.before_request
    def preflight() -> Response | None:
        if not (
            _is_api(request) and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        ):
            return None
        response = Response(status=204)
        if request.headers.get("Origin", "").lower() in allowed:
            response.headers["Access-Control-Allow-Methods"] = _METHODS
            response.headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
            response.headers["Access-Control-Max-Age"] = _PREFLIGHT_KEPT_S
        return response

    @app.after_request
    def mark(response: Response) -> Response:
        if _is_api(request) or request.path.startswith("/static/"):
            response.vary.add("Origin")
            origin = request.headers.get("Origin", "")
            if origin.lower() in allowed:
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Allow-Credentials"] = "true"
                response.headers["Access-Control-Expose-Headers"] = _RESPONSE_HEADERS
        return response


def _is_api(request: Request) -> bool:
    return request.path.startswith("/api/")
