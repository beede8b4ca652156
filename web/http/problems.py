"""Every error as a client sees it: error class → HTTP status, in one table; the body is application/problem+json."""

from __future__ import annotations

import math
import re
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from shared.errors import DaybookError, StoreUnavailable

log = structlog.get_logger()

RETRY_AFTER_S = 2
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every error answer. Source: RFC 9457; `code` is stable, for programs."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str


class Refused(DaybookError):
    """Root of what a request is refused for. `detail` reaches the client: it names no tenant, host or value."""

    code = "bad_request"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code


class BadRequest(Refused):
    """The request is malformed; `detail` names the parameter. Correct it."""


class TokenInvalid(Refused):
    """No token, or none that we accept. Get one and send it as `Authorization: Bearer`."""

    code = "token_invalid"


class TokenMissing(TokenInvalid):
    """The request carries no credential at all."""

    code = "token_missing"


class TokenExpired(TokenInvalid):
    """The token was good once. Get a new one."""

    code = "token_expired"


class UnknownView(TokenInvalid):
    """The token limits its owner to a view that there is none of; showing everything instead would show too much."""

    code = "unknown_view"


class OriginForbidden(Refused):
    """A cookie came with a request that our own pages did not make."""

    code = "origin_forbidden"


class NotFound(Refused):
    """There is no such thing for this caller; another tenant's things look exactly like this."""

    code = "not_found"

    def __init__(self) -> None:
        super().__init__("There is nothing at this address.")


class BodyTooLarge(Refused):
    """A body where none is read, one of unknown length, or more than 64 kB."""

    code = "body_too_large"


class BodyTooSlow(Refused):
    """The body that was announced did not arrive in time. Send it with the head of the request."""

    code = "body_too_slow"


class UriTooLong(Refused):
    """The address is longer than 4 kB."""

    code = "uri_too_long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of a limit: of `limit` in a window, `remaining` now, all again in `reset_s` seconds."""

    limit: int
    remaining: int
    reset_s: float


class TooMany(Refused):
    """Over a limit. Wait for `Retry-After` seconds."""

    code = "rate_limited"

    def __init__(self, detail: str, allowance: Allowance, *, code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.allowance = allowance


class Unavailable(Refused):
    """Not now: a dependency is away, the process is full or stopping, or the first snapshot is not there yet."""

    code = "unavailable"


_STATUS: dict[type[DaybookError], HTTPStatus] = {
    BadRequest: HTTPStatus.BAD_REQUEST,
    TokenInvalid: HTTPStatus.UNAUTHORIZED,
    UnknownView: HTTPStatus.FORBIDDEN,
    OriginForbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    BodyTooSlow: HTTPStatus.REQUEST_TIMEOUT,
    UriTooLong: HTTPStatus.REQUEST_URI_TOO_LONG,
    TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

_CODES = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.NOT_FOUND: NotFound.code,
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: BodyTooLarge.code,
}


def request_id() -> str:
    """This request's id: the client's own X-Request-ID when it is a sane one, else made here."""
    if "request_id" not in g:
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else new_request_id()
    return str(g.request_id)


def answer(status: int, code: str, detail: str) -> Response:
    """A problem as a response."""
    body = Problem(
        type=f"urn:daybook:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        request_id=request_id(),
    )
    response = Response(msgspec.json.encode(body), status=status, content_type="application/problem+json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _ours(error: DaybookError) -> Response:
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), None)
    if status is None:
        return _unexpected(error)
    if isinstance(error, Refused):
        code, detail = error.code, error.detail
    else:
        code, detail = "store_unavailable", "The store does not answer; it heals by itself."
    response = answer(status, code, detail)
    if status is HTTPStatus.UNAUTHORIZED:
        known = "" if isinstance(error, TokenMissing) else ', error="invalid_token"'
        response.headers["WWW-Authenticate"] = f'Bearer realm="daybook"{known}'
    elif isinstance(error, TooMany):
        response.headers.update(rate_headers(error.allowance))
        response.headers["Retry-After"] = str(max(1, math.ceil(error.allowance.reset_s)))
    elif status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def new_request_id() -> str:
    """An id for a request that brought none."""
    return uuid.uuid4().hex


def rate_headers(allowance: Allowance) -> dict[str, str]:
    """What is left of a limit, as headers. Source: SPEC 8."""
    return {
        "RateLimit-Limit": str(allowance.limit),
        "RateLimit-Remaining": str(allowance.remaining),
        "RateLimit-Reset": str(math.ceil(allowance.reset_s)),
    }


def _werkzeug(error: HTTPException) -> Response | HTTPException:
    status = error.code
    if status is None or status < 400:
        return error
    if status == HTTPStatus.NOT_FOUND:
        return _ours(NotFound())
    code = _CODES.get(HTTPStatus(status), HTTPStatus(status).phrase.lower().replace(" ", "_"))
    response = answer(status, code, HTTPStatus(status).description or HTTPStatus(status).phrase)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _unexpected(error: Exception) -> Response:
    log.error("request_failed", method=request.method, path=request.path, exc_info=error)
    return answer(500, "internal_error", "Something broke on our side; the request id helps us find it.")


def register(app: Flask) -> None:
    """Answer every error, Flask's and werkzeug's own too, as a problem."""
    handlers: tuple[tuple[type[Exception], Any], ...] = (
        (DaybookError, _ours),
        (HTTPException, _werkzeug),
        (Exception, _unexpected),
    )
    for kind, handler in handlers:
        app.register_error_handler(kind, handler)
