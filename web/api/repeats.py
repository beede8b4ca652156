"""A client that asks for its snapshot again: answered before Flask is asked, by the answer that it got before.

Only the plain question with a bearer token. Within a moment the answer is repeated as it is; later it is asked in one round
trip whether it still holds. Any other question goes the whole way, so that everything is as it would be without this. What
may differ from one answer to the next is made anew: the request's id and what is left of the rate.
"""

from __future__ import annotations

import hashlib
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Histogram

from shared.logs import write_line
from web.access.limits import Limiter
from web.access.tokens import Caller
from web.api.grounds import GROUNDS, Confirmation, Grounds
from web.http.problems import Allowance, new_request_id, rate_headers
from web.http.turns import let_others_have_their_turn
from web.live.leases import LEASE_S, Leases
from web.live.mailbox import Form, Update

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

PATHS = frozenset({"/api/dashboard/realtime/aggregate/", "/api/dashboard/overview/"})

# All of a request that its answer depends on, beside method, path and token.
_ASKED = ("HTTP_HOST", "HTTP_ORIGIN", "HTTP_IF_NONE_MATCH", "HTTP_ACCEPT_ENCODING", "SERVER_PROTOCOL")
# Who sends one of these goes the whole way.
_UNUSUAL = ("HTTP_TRANSFER_ENCODING", "CONTENT_LENGTH", "HTTP_X_REQUEST_ID", "HTTP_EXPECT")
_REPEATED = {"200 OK": True, "304 NOT MODIFIED": False}
# Made anew for each answer.
_PER_REQUEST = frozenset({"X-Request-ID", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"})
# Some 2.4 kB each, with what is known of the token and its rate.
MOST_KNOWN = 5_000


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that may be given again, as long as what it was made of is held.

    counts: it takes something of the tenant's rate. seconds: the histogram of this route and status. known_until: by
    time.monotonic().
    """

    caller: Caller
    form: Form
    version: weakref.ref[Update]
    status: str
    headers: tuple[tuple[str, str], ...]
    is_compressed: bool
    counts: bool
    seconds: Any
    known_until: float

    @property
    def tenant_id(self) -> str:
        return self.caller.tenant_id

    @property
    def subject(self) -> str:
        return self.caller.subject

    @property
    def outlives_its_lease(self) -> bool:
        """Whether the token holds now, and as long as the answer may be repeated."""
        return self.caller.valid_from <= time.time() < self.caller.expires_at - LEASE_S

    def body(self) -> Sequence[bytes] | None:
        """None when what it was made of is not held any more."""
        update = self.version()
        if update is None:
            return None
        if not _REPEATED[self.status]:
            return ()
        return (update.compressed if self.is_compressed else update.body,)


class Repeats:
    """A WSGI application around the one of Flask."""

    def __init__(
        self,
        app: WSGIApplication,
        leases: Leases[Answer],
        limiter: Limiter,
        confirmation: Confirmation,
        *,
        known_for_s: float,
        is_draining: Callable[[], bool],
        seconds: Histogram,
        reads: Counter,
    ) -> None:
        """`known_for_s`: what was answered the whole way may be confirmed for so long, while the token has not expired."""
        self._app = app
        self._leases = leases
        self._limiter = limiter
        self._confirmation = confirmation
        self._known_for_s = known_for_s
        self._is_draining = is_draining
        self._seconds = seconds
        self._repeated, self._confirmed = reads.labels("repeated"), reads.labels("confirmed")
        self._known: OrderedDict[tuple[Any, ...], Answer] = OrderedDict()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        let_others_have_their_turn()
        question = _question(environ)
        if question is None or self._is_draining():
            return self._app(environ, start_response)
        began = time.perf_counter()
        for find, count in ((self._hold, self._repeated), (self._confirm, self._confirmed)):
            answer, allowance = find(question)
            if answer is not None and (body := answer.body()) is not None:
                count.inc()
                self._say(answer, allowance, environ["PATH_INFO"], began, start_response)
                return body
        return self._whole_way(question, environ, start_response)

    def _hold(self, question: tuple[Any, ...]) -> tuple[Answer | None, Allowance | None]:
        """The answer that holds for a moment."""
        answer = self._leases.find(question)
        if answer is None or answer.version() is None or not answer.counts:
            return answer, None
        allowance = self._limiter.hit_here(answer)
        return (None, None) if allowance is None else (answer, allowance)

    def _confirm(self, question: tuple[Any, ...]) -> tuple[Answer | None, Allowance | None]:
        """The answer that was given before, if it still holds."""
        answer, asked_at = self._known.get(question), time.monotonic()
        update = None if answer is None else answer.version()
        if answer is None or update is None or asked_at > answer.known_until or not answer.outlives_its_lease:
            return None, None
        standing = self._confirmation.ask(Grounds(answer.caller, answer.form, update), counts=answer.counts)
        if standing is None:
            return None, None
        self._leases.keep(question, answer, answer.tenant_id, asked_at=asked_at)
        self._remember(question, answer)
        return answer, standing.allowance

    def _say(
        self,
        answer: Answer,
        allowance: Allowance | None,
        path: str,
        began: float,
        start_response: StartResponse,
    ) -> None:
        request_id = new_request_id()
        headers = [*answer.headers, ("X-Request-ID", request_id)]
        if allowance is not None:
            headers += rate_headers(allowance).items()
        start_response(answer.status, headers)
        elapsed_s = time.perf_counter() - began
        answer.seconds.observe(elapsed_s)
        write_line(
            __name__,
            "request",
            request_id=request_id,
            tenant_id=answer.tenant_id,
            method="GET",
            path=path,
            status=int(answer.status[:3]),
            ms=round(elapsed_s * 1000, 2),
        )

    def _whole_way(
        self, question: tuple[Any, ...], environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        asked_at = time.monotonic()
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def note(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            started.append((status, headers))
            return start_response(status, headers, exc_info)

        body = self._app(environ, note)
        grounds: Grounds | None = environ.get(GROUNDS)
        if grounds is None or len(started) != 1 or started[0][0] not in _REPEATED:
            return body
        status, headers = started[0]
        answer = Answer(
            caller=grounds.caller,
            form=grounds.form,
            version=weakref.ref(grounds.update),
            status=status,
            headers=tuple((name, value) for name, value in headers if name not in _PER_REQUEST),
            is_compressed=("Content-Encoding", "gzip") in headers,
            counts=_REPEATED[status],
            seconds=self._seconds.labels(environ["PATH_INFO"], status[:3]),
            known_until=asked_at + self._known_for_s,
        )
        if answer.outlives_its_lease:
            self._leases.keep(question, answer, answer.tenant_id, asked_at=asked_at)
            self._remember(question, answer)
        return body

    def _remember(self, question: tuple[Any, ...], answer: Answer) -> None:
        self._known[question] = answer
        self._known.move_to_end(question)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)


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
