"""REST for alerts: the list with its filters, acknowledge and snooze. What changes is sent as a task. Source: SPEC 6."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from flask import Flask, Request, Response, g, request
from msgspec import UNSET, UnsetType

from shared.alerts import LEVELS, METRICS, STATES, AlertView, Board, BoardAlert
from shared.snapshot import Instant
from web.access.auth import Auth
from web.access.limits import Limiter
from web.access.tokens import Caller
from web.alerts.boards import Boards
from web.alerts.snooze import snoozed_until
from web.api.snapshot import SnapshotFinder
from web.http.clock import now
from web.http.problems import BadRequest, NotFound, Unavailable
from web.http.requests import body, check_idle_body, query
from web.redis.commands import Commands
from web.redis.polling import poll

PAGE = 100
FILTERS: Mapping[str, Sequence[str]] = {"state": STATES, "level": LEVELS, "metric": METRICS}
FIRST_BOARD_WAIT_S = 2.0
_MAX_CURSOR_CHARS = 200


class AlertList(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts, newest first; `next` is the address of the next page, null on the last one."""

    alerts: tuple[AlertView, ...]
    next: str | None


class SnoozeWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to put an alert off: exactly one of minutes (1 to 10080) and a moment within seven days."""

    minutes: int | UnsetType = UNSET
    until: Annotated[datetime, msgspec.Meta(tz=True)] | UnsetType = UNSET


class AlertCommanded(msgspec.Struct, frozen=True, kw_only=True):
    """202: it is queued; the notification socket and the list show it in a moment."""

    success: bool = True
    alert_id: str


class Position(msgspec.Struct, frozen=True, array_like=True):
    """The last alert of a page."""

    raised_at: Instant
    alert_id: str


def register(
    app: Flask, *, boards: Boards, finder: SnapshotFinder, commands: Commands, auth: Auth, limiter: Limiter
) -> None:
    """The three routes."""

    def board_of(caller: Caller) -> Board:
        """One that Redis lost is computed again. Raises NotFound, Unavailable or StoreUnavailable."""
        tenant_id = caller.tenant_id
        board = boards.newest(tenant_id)
        if board is None:
            finder.find(tenant_id)
            board = boards.newest(tenant_id)
        if board is None:
            commands.ask(tenant_id)
            board = poll(lambda: boards.newest(tenant_id), within_s=FIRST_BOARD_WAIT_S)
        if board is None:
            raise Unavailable("The alerts are being read again.", code="alerts_pending")
        return boards.through(tenant_id, board, caller.view)

    @app.get("/api/dashboard/alerts/")
    def list_alerts() -> Response:
        given = query(request, (*FILTERS, "cursor"))
        caller = auth.authenticate(request)
        after = _position(given.get("cursor"))
        wanted = _filters(given)
        g.allowance = limiter.hit("requests", caller)
        return _json(_page(board_of(caller), wanted, after, address=request.base_url), 200)

    @app.post("/api/dashboard/alerts/<alert_id>/acknowledge/")
    def acknowledge_alert(alert_id: str) -> Response:
        query(request)
        caller = auth.authenticate(request)
        check_idle_body(request)
        g.allowance = limiter.hit("requests", caller)
        _find(board_of(caller), alert_id)
        commands.acknowledge_alert(caller.tenant_id, alert_id, caller.subject)
        return _json(AlertCommanded(alert_id=alert_id), 202)

    @app.post("/api/dashboard/alerts/<alert_id>/snooze/")
    def snooze_alert(alert_id: str) -> Response:
        query(request)
        caller = auth.authenticate(request)
        until = _until(request)
        g.allowance = limiter.hit("requests", caller)
        _find(board_of(caller), alert_id)
        commands.snooze_alert(caller.tenant_id, alert_id, caller.subject, until)
        return _json(AlertCommanded(alert_id=alert_id), 202)


def _find(board: Board, alert_id: str) -> BoardAlert:
    alert = board.find(alert_id)
    if alert is None:
        raise NotFound()
    return alert


def _page(board: Board, wanted: Mapping[str, str], after: Position | None, *, address: str) -> AlertList:
    moment = now()
    views = [view for alert in board.alerts if _matches(view := alert.view(moment), wanted)]
    views.sort(key=lambda view: view.id)
    views.sort(key=lambda view: view.raised_at, reverse=True)
    rest = [view for view in views if after is None or _is_after(view, after)]
    page = tuple(rest[:PAGE])
    more = None
    if len(rest) > PAGE:
        cursor = _cursor(Position(raised_at=page[-1].raised_at, alert_id=page[-1].id))
        more = f"{address}?{urlencode({**wanted, 'cursor': cursor})}"
    return AlertList(alerts=page, next=more)


def _matches(view: AlertView, wanted: Mapping[str, str]) -> bool:
    return all(getattr(view, name) == value for name, value in wanted.items())


def _is_after(view: AlertView, position: Position) -> bool:
    if view.raised_at == position.raised_at:
        return view.id > position.alert_id
    return view.raised_at < position.raised_at


def _filters(given: Mapping[str, str]) -> dict[str, str]:
    wanted = {name: given[name] for name in FILTERS if name in given}
    for name, value in wanted.items():
        if value not in FILTERS[name]:
            raise BadRequest(f"{name} must be one of: {', '.join(FILTERS[name])}.", code="bad_parameter")
    return wanted


def _cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def _position(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    try:
        if len(cursor) > _MAX_CURSOR_CHARS:
            raise ValueError("too long")
        return msgspec.json.decode(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True), type=Position
        )
    except (ValueError, msgspec.DecodeError, UnicodeError) as error:
        raise BadRequest("cursor is not one that a list gave.", code="bad_parameter") from error


def _until(request: Request) -> datetime:
    wanted = body(request, SnoozeWanted, '{"minutes": …} or {"until": "…"}')
    try:
        return snoozed_until(wanted.minutes, wanted.until, now=datetime.now(UTC))
    except ValueError as error:
        raise BadRequest(f"{error}.", code="bad_body") from error


def _json(body: msgspec.Struct, status: int) -> Response:
    response = Response(msgspec.json.encode(body), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
