"""GET receipts/{number}/: the documents behind a number, page by page or as a file. A worker makes them. Source: SPEC 9."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeVar, get_args
from urllib.parse import urlencode

import msgspec
from flask import Flask, Response, g, request

from shared.receipts import LONGEST_DAYS, PARAMETERS, Question, ReceiptStore
from shared.snapshot import BUCKETS, Instant, PeriodName, instant
from shared.versions import Version
from web.access.auth import Auth
from web.access.limits import Limiter
from web.api.snapshot import SnapshotFinder
from web.http.deadlines import in_pieces
from web.http.problems import BadRequest, NotFound, Unavailable
from web.http.requests import query, whole_number
from web.redis.circuit import Circuit
from web.redis.commands import Commands

WAIT_S = 2.0
RETRY_AFTER_S = 1
LAST_PAGE = 1_000_000
_NARROWING = frozenset({"period", "from", "to", "bucket", "client_id", "category", "currency", "changes"})
LATE_BUCKETS = BUCKETS[1:]
_LONGEST_NAME = 255

T = TypeVar("T")


class ReceiptQueued(msgspec.Struct, frozen=True, kw_only=True):
    """202: the documents are being fetched; ask again."""

    success: bool = True
    status: str = "queued"
    timestamp: Instant


@dataclass(frozen=True, slots=True)
class Receipts:
    """Receipts of the newest version: those that are kept, and those that a worker has yet to make."""

    finder: SnapshotFinder
    store: ReceiptStore
    commands: Commands
    circuit: Circuit

    def page(self, tenant_id: str, question: Question, number: int) -> tuple[bytes, bytes, bool] | None:
        """Head, documents, and whether there is a next page; None while a worker is at it. Raises NotFound, Unavailable."""
        return self._found(tenant_id, question, lambda version: self.store.page(tenant_id, version, question, number))

    def csv(self, tenant_id: str, question: Question) -> bytes | None:
        """The file; None while a worker is at it. Raises NotFound, Unavailable."""
        return self._found(tenant_id, question, lambda version: self.store.csv(tenant_id, version, question))

    def _found(self, tenant_id: str, question: Question, look: Callable[[Version], T | None]) -> T | None:
        """What is kept for the newest version, else for the one that a worker makes it for."""
        version = self.finder.find(tenant_id).version
        with self.circuit.guard():
            kept = look(version)
        if kept is not None:
            return kept
        made = self._made(tenant_id, question)
        with self.circuit.guard():
            return None if made is None else look(made)

    def _made(self, tenant_id: str, question: Question) -> Version | None:
        made = self.commands.receipt(tenant_id, question, wait_s=WAIT_S)
        if made is None:
            return None
        if made.status == "unknown":
            raise NotFound()
        if made.version is None:
            raise Unavailable("The documents cannot be told at the moment.", code="computation_failed")
        return Version.parse(made.version)


def register(app: Flask, *, receipts: Receipts, auth: Auth, limiter: Limiter) -> None:
    """The one route."""

    @app.get("/api/dashboard/receipts/<number>/")
    def receipt(number: str) -> Response:
        parameters = query(request, _NARROWING | {"page", "format"})
        caller = auth.authenticate(request)
        as_file = _one_of(parameters, "format", ("json", "csv")) == "csv"
        page = whole_number(parameters, "page", default=1, low=1, high=LAST_PAGE)
        question = question_of(number, parameters, csv=as_file)
        if caller.view is not None and not caller.view.shows_receipt(number):
            raise NotFound()
        g.allowance = limiter.hit("requests", caller)
        if as_file:
            file = receipts.csv(caller.tenant_id, question)
            name = f"{number}-changes.csv" if question.changes else f"{number}.csv"
            return _queued() if file is None else _file(name, file)
        found = receipts.page(caller.tenant_id, question, page - 1)
        if found is None:
            return _queued()
        head, items, has_next = found
        next_page = _address(number, parameters, page + 1) if has_next else None
        body = head[:-1] + b',"items":' + items + b',"next":' + json.dumps(next_page).encode() + b"}"
        return _uncached(Response(body, content_type="application/json"))


def question_of(number: str, parameters: Mapping[str, str], *, csv: bool) -> Question:
    """What is asked for; raises BadRequest naming the number or parameter that is wrong."""
    allowed = PARAMETERS.get(number)
    if allowed is None:
        raise BadRequest(f"There is no number {number!r}; there are {', '.join(PARAMETERS)}.", code="unknown_number")
    for name in sorted(parameters.keys() & _NARROWING - allowed):
        raise BadRequest(f"{name} cannot be asked for with {number}.", code="bad_parameter")
    period = _one_of(parameters, "period", get_args(PeriodName))
    first, last = _day(parameters, "from"), _day(parameters, "to")
    if "period" in allowed:
        _check_days(period, first, last)
    currency = parameters.get("currency")
    if currency is not None and not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise BadRequest("currency must be three capital letters.", code="bad_parameter")
    return Question(
        number=number,
        period=period,  # type: ignore[arg-type]
        first=first,
        last=last,
        bucket=_one_of(parameters, "bucket", LATE_BUCKETS if number == "overdue-invoices" else BUCKETS),
        client_id=_name(parameters, "client_id"),
        category=_name(parameters, "category"),
        currency=currency,
        changes=_one_of(parameters, "changes", ("true", "false")) == "true",
        csv=csv,
    )


def _check_days(period: str | None, first: date | None, last: date | None) -> None:
    if (period is None) == (first is None and last is None):
        raise BadRequest("Exactly one of period, or from and to, must be given.", code="bad_parameter")
    if period is not None:
        return
    if first is None or last is None:
        raise BadRequest(f"{'from' if first is None else 'to'} is missing.", code="bad_parameter")
    if not 0 <= (last - first).days < LONGEST_DAYS:
        raise BadRequest(f"to must be from 0 to {LONGEST_DAYS - 1} days after from.", code="bad_parameter")


def _one_of(parameters: Mapping[str, str], name: str, members: tuple[str, ...]) -> str | None:
    text = parameters.get(name)
    if text is not None and text not in members:
        raise BadRequest(f"{name} must be one of {', '.join(members)}.", code="bad_parameter")
    return text


def _day(parameters: Mapping[str, str], name: str) -> date | None:
    text = parameters.get(name)
    if text is None:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text or found.year in (1, 9999):
        raise BadRequest(f"{name} must be a date like 2026-03-31.", code="bad_parameter")
    return found


def _name(parameters: Mapping[str, str], name: str) -> str | None:
    text = parameters.get(name)
    if text is not None and not (0 < len(text) <= _LONGEST_NAME and "\x00" not in text):
        raise BadRequest(f"{name} must have 1 to {_LONGEST_NAME} characters.", code="bad_parameter")
    return text


def _address(number: str, parameters: Mapping[str, str], page: int) -> str:
    asked = {name: text for name, text in parameters.items() if name != "page"}
    return f"{request.script_root}/api/dashboard/receipts/{number}/?{urlencode({**asked, 'page': page})}"


def _queued() -> Response:
    body = msgspec.json.encode(ReceiptQueued(timestamp=instant(datetime.now(UTC))))
    response = Response(body, status=202, content_type="application/json")
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return _uncached(response)


def _file(name: str, content: bytes) -> Response:
    response = Response(in_pieces(content), content_type="text/csv; charset=utf-8")
    response.content_length = len(content)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return _uncached(response)


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
