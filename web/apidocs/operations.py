"""What each route does, takes and answers, by its endpoint; methods and paths come from the route table itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import msgspec

from shared.receipts import Receipt
from shared.snapshot import BUCKETS, PeriodName, Served, ServedOverview
from web.alerts.routes import FILTERS, PAGE, AlertCommanded, AlertList, SnoozeWanted
from web.api.recalculation import Queued, Recalculated
from web.api.receipts import LAST_PAGE, ReceiptQueued
from web.api.stream import DEFAULT_UPDATES, MAX_UPDATES
from web.api.tickets import TicketIssued, TicketWanted
from web.http.problems import Problem
from web.ops.health import Health
from web.transport.messages import StreamConnection, StreamEnd, StreamStatus, StreamUpdate

JSON = "application/json"
PROBLEM = "application/problem+json"
EVENTS = "text/event-stream"
TEXT = "text/plain"
CSV = "text/csv"
HTML = "text/html"

Body = type[msgspec.Struct] | tuple[type[msgspec.Struct], ...] | None
"""A struct; several = the data of a stream's events; None = an object or a text that has no type of ours."""

Content = Mapping[str, Body]
"""Body by media type."""

LIMIT_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of the query or a request header. What stands in the path is taken from the route."""

    name: str
    where: Literal["query", "header"]
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One status that an operation answers with."""

    description: str
    content: Content = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    example: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one route. `problems` are statuses with a problem as their body."""

    tag: str
    summary: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: type[msgspec.Struct] | None = None
    answers: Mapping[int, Answer]
    problems: tuple[int, ...] = ()
    security: tuple[str, ...] = ()


# Any request: a foreign Host, a body where none is read, a server that stops.
_ANY = (400, 413, 414, 500, 503)
_API = (*_ANY, 401, 403, 429)
_TOKEN = ("bearer", "cookie")


def query(name: str, description: str, **schema: Any) -> Parameter:
    """A parameter of the query."""
    return Parameter(name=name, where="query", description=description, schema=schema)


def header(name: str, description: str, **schema: Any) -> Parameter:
    """A request header."""
    return Parameter(name=name, where="header", description=description, schema={"type": "string", **schema})


def _api(
    summary: str, *, tag: str = "dashboard", not_found: bool = False, has_body: bool = False, **rest: Any
) -> Operation:
    """An operation under /api/: it needs a token, counts against a rate, and is refused in the same ways as the others."""
    problems = (*_API, *((404,) if not_found else ()), *((408,) if has_body else ()))
    return Operation(tag=tag, summary=summary, problems=problems, security=rest.pop("security", _TOKEN), **rest)


def _open(summary: str, answers: Mapping[int, Answer], *, tag: str = "operations", **rest: Any) -> Operation:
    """An operation that anybody may ask for; it holds no tenant data."""
    return Operation(tag=tag, summary=summary, answers=answers, problems=(*_ANY, *rest.pop("problems", ())), **rest)


_IF_NONE_MATCH = header("If-None-Match", "The ETag of what you have: 304 if it is still the newest. Counts no request.")
_VERSIONED = ("ETag", "Content-Encoding", *LIMIT_HEADERS)
_STREAM_EXAMPLE = """\
retry: 1742
data: {"type":"connection","user_id":"demo","interval":30,"max_updates":100,"timestamp":"2026-03-08T14:00:00.000Z"}

id: 5b1f9c02-17
data: {"type":"dashboard_update","sequence":1,"version":"5b1f9c02-17","stale":false,…}

: heartbeat

data: {"type":"stream_end","reason":"max_updates","sequence":100}
"""


def operations(min_interval_s: int, max_interval_s: int, default_interval_s: int) -> dict[str, Operation]:
    """Every operation by the endpoint of its route; the bounds of the stream's interval are settings."""
    return {
        "snapshot": _api(
            "The dashboard now",
            description="Metrics, score and alerts of the token's tenant, as they were computed last. Does not touch the "
            "database. A tenant without a snapshot gets one computed; that is waited for up to 2 s.",
            parameters=(_IF_NONE_MATCH,),
            not_found=True,
            answers={
                200: Answer("The newest snapshot.", {JSON: Served}, _VERSIONED),
                304: Answer("You have the newest one.", headers=("ETag",)),
            },
        ),
        "overview": _api(
            "The long form",
            description="Receivables, 30 days of revenue, expenses and cash, top clients, cash forecast, quotes and expense "
            "categories.",
            parameters=(_IF_NONE_MATCH,),
            not_found=True,
            answers={
                200: Answer("The overview that belongs to the newest snapshot.", {JSON: ServedOverview}, _VERSIONED),
                304: Answer("You have the newest one.", headers=("ETag",)),
            },
        ),
        "receipt": _api(
            "The documents behind a number",
            description="Each document with what it adds to the number, the largest first, 50 a page; those without an "
            "exchange rate come last. `total` is the sum of all pages, and what the dashboard of that version shows. With "
            "`changes=true` those that made the difference to the time before, each with what it adds to it. Made by a "
            "worker on request and kept for five minutes.",
            parameters=(
                query(
                    "period",
                    "Of revenue, expenses, profit, money-in, money-out: a period's name.",
                    type="string",
                    enum=list(get_args(PeriodName)),
                ),
                query("from", "The same from this day on, with `to`.", type="string", format="date"),
                query("to", "Up to this day, at most 366 days.", type="string", format="date"),
                query(
                    "bucket",
                    "Of outstanding, and of overdue-invoices (not current).",
                    type="string",
                    enum=list(BUCKETS),
                ),
                query("client_id", "Only this client's.", type="string", minLength=1, maxLength=255),
                query("category", "Only expenses of this category.", type="string", minLength=1, maxLength=255),
                query("currency", "Only documents in this currency.", type="string", pattern="^[A-Z]{3}$"),
                query(
                    "changes",
                    "`true`: what moved the number since the time before, that is its own period's or as many days before, "
                    "and of open invoices yesterday's close. Not of customer-credit and forecast.",
                    type="string",
                    enum=["true", "false"],
                    default="false",
                ),
                query("page", "From 1.", type="integer", minimum=1, maximum=LAST_PAGE, default=1),
                query("format", "`csv`: all pages as a file.", type="string", enum=["json", "csv"], default="json"),
            ),
            not_found=True,
            answers={
                200: Answer("A page, or with `format=csv` the file.", {JSON: Receipt, CSV: None}, LIMIT_HEADERS),
                202: Answer("The documents are being fetched: ask again.", {JSON: ReceiptQueued}, ("Retry-After",)),
            },
        ),
        "stream": _api(
            "The dashboard as it changes (SSE)",
            description="Server-sent events: `connection`, then `dashboard_update` at once, at every change and every "
            "`interval` seconds at the latest, `status` when the data stops being fresh or is fresh again, and `stream_end` "
            "after `max_updates`. `id:` is the snapshot's version.",
            parameters=(
                query(
                    "interval",
                    "Seconds between updates at the latest.",
                    type="integer",
                    minimum=min_interval_s,
                    maximum=max_interval_s,
                    default=default_interval_s,
                ),
                query(
                    "max_updates",
                    "The stream ends after so many.",
                    type="integer",
                    minimum=1,
                    maximum=MAX_UPDATES,
                    default=DEFAULT_UPDATES,
                ),
                header("Last-Event-ID", "The version that you have; if it is current, the next change comes first."),
            ),
            not_found=True,
            security=(*_TOKEN, "ticket"),
            answers={
                200: Answer(
                    "Events.",
                    {EVENTS: (StreamConnection, StreamUpdate, StreamStatus, StreamEnd)},
                    LIMIT_HEADERS,
                    _STREAM_EXAMPLE,
                )
            },
        ),
        "recalculate": _api(
            "Compute it again now",
            description="Queues a recalculation and waits up to 5 s for it. Requests for one tenant share one computation; "
            "the same `Idempotency-Key` within 24 h gets the same answer and computes nothing.",
            parameters=(
                query(
                    "wait",
                    "0: do not wait, answer 202.",
                    type="string",
                    enum=["0", "1"],
                    default="1",
                ),
                header(
                    "Idempotency-Key",
                    "Any text of yours, new for every recalculation that you want.",
                    minLength=1,
                    maxLength=255,
                    pattern="^[ -~]+$",
                ),
            ),
            has_body=True,
            not_found=True,
            answers={
                200: Answer("It is done.", {JSON: Recalculated}, LIMIT_HEADERS),
                202: Answer("It is queued; a stream or socket tells when it is done.", {JSON: Queued}, LIMIT_HEADERS),
            },
        ),
        "list_alerts": _api(
            "The alerts and what became of them",
            description=f"Newest first, {PAGE} a page; cleared ones are kept for 30 days. `next` is the address of the next "
            "page, null on the last one.",
            tag="alerts",
            not_found=True,
            parameters=(
                *(
                    query(name, f"Only those with this {name}.", type="string", enum=list(values))
                    for name, values in FILTERS.items()
                ),
                query("cursor", "Where a page begins, as `next` says it.", type="string", maxLength=200),
            ),
            answers={200: Answer("A page of alerts.", {JSON: AlertList}, LIMIT_HEADERS)},
        ),
        "acknowledge_alert": _api(
            "Somebody has seen to an alert",
            description="Everybody of the tenant sees it at once. Acknowledged already: nothing changes.",
            tag="alerts",
            has_body=True,
            not_found=True,
            answers={202: Answer("It is queued.", {JSON: AlertCommanded}, LIMIT_HEADERS)},
        ),
        "snooze_alert": _api(
            "Put an alert off",
            description="For so many minutes, or until a moment. It is told again then, if it still holds.",
            tag="alerts",
            has_body=True,
            not_found=True,
            body=SnoozeWanted,
            answers={202: Answer("It is queued.", {JSON: AlertCommanded}, LIMIT_HEADERS)},
        ),
        "issue_ticket": _api(
            "A ticket for an address",
            description="EventSource and WebSocket cannot send a header. Where the cookie does not reach either, ask for a "
            "ticket and open `path?ticket=…` with it: once, within 30 s.",
            tag="credentials",
            has_body=True,
            body=TicketWanted,
            answers={201: Answer("The ticket.", {JSON: TicketIssued}, LIMIT_HEADERS)},
        ),
        "health": Operation(
            tag="dashboard",
            summary="Is it well",
            description="Database and workers are known through the workers' pulse.",
            security=_TOKEN,
            problems=_API,
            answers={
                200: Answer("Everything is well.", {JSON: Health}, LIMIT_HEADERS),
                503: Answer(
                    "Something is not; `components` says what.",
                    {JSON: Health, PROBLEM: Problem},
                    ("Retry-After", *LIMIT_HEADERS),
                ),
            },
        ),
        "livez": _open("The process answers", {200: Answer("It does.", {JSON: None})}),
        "readyz": _open("The process can serve", {200: Answer("It can.", {JSON: None})}),
        "show_version": _open("The release", {200: Answer("Its name and version.", {JSON: None})}),
        "metrics": _open("Prometheus metrics", {200: Answer("The text format.", {TEXT: None})}),
        "openapi": _open("This document", {200: Answer("OpenAPI 3.1.", {JSON: None})}, tag="documentation"),
        "asyncapi": _open("Sockets and stream", {200: Answer("AsyncAPI 3.0.", {JSON: None})}, tag="documentation"),
        "docs": _open("Both documents to read and try", {200: Answer("A page.", {HTML: None})}, tag="documentation"),
        "docs_file": _open("Its files", _FILE, tag="documentation", problems=(404,)),
        "page": _open("The dashboard page", {200: Answer("A page.", {HTML: None})}, tag="page"),
        "static": _open("Its files", _FILE, tag="page", problems=(404,)),
        "demo_sign_in": _open(
            "Demo only: sign in by a link",
            {303: Answer("To the page, with the cookie if the token is good.", headers=("Location", "Set-Cookie"))},
            tag="page",
            parameters=(query("token", "The demo token that `bin/run` prints.", type="string"),),
        ),
    }


_FILE: Mapping[int, Answer] = {
    200: Answer(
        "The file.",
        {"text/javascript": None, "text/css": None, "image/svg+xml": None, TEXT: None, HTML: None},
        ("ETag",),
    ),
    304: Answer("You have it.", headers=("ETag",)),
}
