"""POST tickets: exchanges a token in a header for a one-time ticket that may stand in an address. Source: SPEC 6."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec
from flask import Flask, Response, g, request

from web.access.auth import Auth
from web.access.limits import Limiter
from web.access.tickets import Tickets
from web.http.problems import BadRequest
from web.http.requests import body, query

_STREAM = "/api/dashboard/streaming/aggregate/"


class TicketWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request for a ticket: the address that it is to open, without host and query."""

    path: str


class TicketIssued(msgspec.Struct, frozen=True, kw_only=True):
    """201: add `?ticket=` to the path within `expires_in` seconds, once."""

    ticket: str
    path: str
    expires_in: int


def paths_of(tenant_id: str) -> tuple[str, ...]:
    """Everything that a ticket of this tenant can open."""
    return (_STREAM, f"/ws/dashboard/{tenant_id}/", f"/ws/dashboard/notifications/{tenant_id}/")


def register(app: Flask, *, tickets: Tickets, auth: Auth, limiter: Limiter) -> None:
    """The one route."""

    @app.post("/api/dashboard/tickets/")
    def issue_ticket() -> Response:
        query(request)
        caller = auth.authenticate(request)
        g.allowance = limiter.hit("requests", caller)
        wanted = body(request, TicketWanted, '{"path": "…"}')
        # Addresses are compared decoded and without the base path, as the router sees them.
        path = unquote(wanted.path).removeprefix(request.script_root)
        if path not in paths_of(caller.tenant_id):
            raise BadRequest("path must be that of the stream or of one of your own sockets.", code="bad_path")
        ticket, lives_s = tickets.issue(caller, path)
        issued = TicketIssued(ticket=ticket, path=wanted.path, expires_in=lives_s)
        response = Response(msgspec.json.encode(issued), status=201, content_type="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response
