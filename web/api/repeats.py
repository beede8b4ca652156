"""A client that asks for its snapshot again within a moment: answered before Flask is asked, from the answer it has just got.

Only the plain question with a bearer token. The first of each moment goes the whole way, so that everything is as it would
be without this; what may differ from one answer to the next is made anew: the request's id and what is left of the rate.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Histogram

from shared.logs import write_line
from web.access.limits import Limiter
from web.http.problems import new_request_id, rate_headers
from web.http.turns import let_others_have_their_turn
from web.live.leases import Leases

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

CALLER = "daybook.caller"
"""What a route puts into the environment of a request whose answer may be repeated: whose it is (a Caller)."""
PATHS = frozenset({"/api/dashboard/realtime/aggregate/", "/api/dashboard/overview/"})

# All of a request that its answer depends on, beside method, path and token.
_ASKED = ("HTTP_HOST", "HTTP_ORIGIN", "HTTP_IF_NONE_MATCH", "HTTP_ACCEPT_ENCODING", "SERVER_PROTOCOL")
# Who sends one of these goes the whole way.
_UNUSUAL = ("HTTP_TRANSFER_ENCODING", "CONTENT_LENGTH", "HTTP_X_REQUEST_ID", "HTTP_EXPECT")
_REPEATED = {"200 OK": True, "304 NOT MODIFIED": False}
# Made anew for each answer.
_PER_REQUEST = frozenset({"X-Request-ID", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that may be repeated; one that counts takes something of the tenant's rate."""

    tenant_id: str
    subject: str
    status: str
    headers: tuple[tuple[str, str], ...]
    body: tuple[bytes, ...]
    counts: bool
    seconds: Any
    """The histogram of this route and status."""


class Repeats:
    """A WSGI application around the one of Flask."""

    def __init__(
        self,
        app: WSGIApplication,
        leases: Leases[Answer],
        limiter: Limiter,
        *,
        is_draining: Callable[[], bool],
        seconds: Histogram,
        reads: Counter,
    ) -> None:
        self._app = app
        self._leases = leases
        self._limiter = limiter
        self._is_draining = is_draining
        self._seconds = seconds
        self._repeated = reads.labels("repeated")

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        let_others_have_their_turn()
        question = _question(environ)
        if question is None or self._is_draining():
            return self._app(environ, start_response)
        began = time.perf_counter()
        answer = self._leases.find(question)
        allowance = None
        if answer is not None and answer.counts:
            allowance = self._limiter.hit_here(answer)
            if allowance is None:
                answer = None
        if answer is None:
            return self._whole_way(question, environ, start_response)
        request_id = new_request_id()
        headers = [*answer.headers, ("X-Request-ID", request_id)]
        if allowance is not None:
            headers += rate_headers(allowance).items()
        start_response(answer.status, headers)
        elapsed_s = time.perf_counter() - began
        self._repeated.inc()
        answer.seconds.observe(elapsed_s)
        write_line(
            __name__,
            "request",
            request_id=request_id,
            tenant_id=answer.tenant_id,
            method="GET",
            path=environ["PATH_INFO"],
            status=int(answer.status[:3]),
            ms=round(elapsed_s * 1000, 2),
        )
        return answer.body

    def _whole_way(
        self, question: tuple[Any, ...], environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        asked_at = time.monotonic()
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def note(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            started.append((status, headers))
            return start_response(status, headers, exc_info)

        body = self._app(environ, note)
        caller = environ.get(CALLER)
        if caller is None or len(started) != 1 or started[0][0] not in _REPEATED:
            return body
        status, headers = started[0]
        whole = tuple(body)
        if close := getattr(body, "close", None):
            close()
        kept = tuple((name, value) for name, value in headers if name not in _PER_REQUEST)
        seconds = self._seconds.labels(environ["PATH_INFO"], status[:3])
        answer = Answer(caller.tenant_id, caller.subject, status, kept, whole, _REPEATED[status], seconds)
        self._leases.keep(question, answer, caller.tenant_id, asked_at=asked_at)
        return whole


def _question(environ: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """What is asked, None where it is not the plain question; never the token itself."""
    path = environ["PATH_INFO"]
    if path not in PATHS or environ["REQUEST_METHOD"] != "GET" or environ.get("QUERY_STRING"):
        return None
    authorization = environ.get("HTTP_AUTHORIZATION")
    # A target that is a whole address names a host of its own.
    if (
        not authorization
        or not environ.get("RAW_URI", "/").startswith("/")
        or any(name in environ for name in _UNUSUAL)
    ):
        return None
    digest = hashlib.sha256(authorization.encode("latin-1")).digest()
    return (path, digest, *(environ.get(name) for name in _ASKED))
