"""The OpenAPI 3.1 document: the app's routes, each with what operations.py says about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Flask
from werkzeug.routing import Rule

from shared.release import release
from shared.settings import Settings
from web.access.auth import COOKIE, TICKET_PARAMETER
from web.apidocs.operations import JSON, PROBLEM, Answer, Body, Content, Operation, operations
from web.apidocs.schemas import component_schemas, reference
from web.http.problems import Problem

_ABOUT = """\
A live dashboard for every tenant of an invoicing or accounting product: the snapshot over REST, and every change of it as
server-sent events or over a WebSocket. Sockets and stream are described in [AsyncAPI](/asyncapi.json).

The tenant is the one that the token names. Amounts are JSON numbers, rounded to the currency's minor unit; times are UTC.
Errors are `application/problem+json`; their `code` is stable, and their `request_id` finds them in the log.
"""
_TAGS = {
    "dashboard": "The numbers of one tenant.",
    "alerts": "What needs attention, and what somebody did about it.",
    "credentials": "For clients that cannot send a header.",
    "operations": "For orchestrators and Prometheus; without a token, without tenant data.",
    "documentation": "This.",
    "page": "The dashboard as a page.",
}
_PROBLEMS = {
    400: "Something about the request is malformed; `detail` names it.",
    401: "No token, or none that is accepted. `code` is token_expired when it was good once.",
    403: "A cookie came with a request that is not known to come from an allowed page, or (`unknown_view`) the token's claim "
    "dashboard_view names a view that is not defined.",
    404: "There is no such thing for this caller.",
    408: "The body that was announced did not arrive within 5 s.",
    413: "A body where none is read, one without a length, or one of more than 64 kB.",
    414: "The address is longer than 4 kB.",
    429: "Over a limit; wait for `Retry-After` seconds.",
    500: "Something broke on our side.",
    503: "Not now: a dependency is away, the server is stopping, or there is no snapshot yet. Wait `Retry-After` seconds.",
}
_PROBLEM_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After", "RateLimit-Limit"), 503: ("Retry-After",)}
_HEADERS = {
    "Content-Encoding": ("gzip, if you accept that and do not prefer `identity`.", "string"),
    "ETag": ("The version, and behind a dot the view that the token names, as a weak tag.", "string"),
    "Location": ("Where to go.", "string"),
    "RateLimit-Limit": ("Requests per window.", "integer"),
    "RateLimit-Remaining": ("Requests left in it.", "integer"),
    "RateLimit-Reset": ("Seconds until the next window.", "integer"),
    "Retry-After": ("Seconds to wait.", "integer"),
    "Set-Cookie": ("The cookie, HttpOnly.", "string"),
    "WWW-Authenticate": ("Bearer, and the error.", "string"),
}
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The same token in a cookie, from our own or an allowed Origin only.",
    },
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": TICKET_PARAMETER,
        "description": "A one-time ticket from POST /api/dashboard/tickets/.",
    },
}
_IMPLIED_METHODS = frozenset({"HEAD", "OPTIONS"})


def openapi_document(app: Flask, settings: Settings) -> dict[str, Any]:
    """The document of this app, which must have all its routes."""
    bounds = settings.intervals
    known = operations(bounds.min_s, bounds.max_s, bounds.default_s)
    paths: dict[str, dict[str, Any]] = {}
    documented: list[Operation] = []
    order = list(known)
    described = [route for route in routes(app) if route[0].endpoint in known]
    for rule, method in sorted(described, key=lambda route: order.index(route[0].endpoint)):
        operation = known[rule.endpoint]
        paths.setdefault(path_of(rule), {})[method.lower()] = _operation(rule, operation)
        documented.append(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Daybook", "version": release(), "description": _ABOUT},
        "servers": [{"url": f"{settings.base_path}/", "description": "This server"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": component_schemas([*_structs(documented), Problem]),
            "responses": {_name(status): _problem(status) for status in _PROBLEMS},
            "securitySchemes": _SECURITY,
        },
    }


def routes(app: Flask) -> list[tuple[Rule, str]]:
    """Every HTTP route and method that was written down, in order of path; not sockets, nor what Flask adds to GET."""
    found = (
        (rule, method)
        for rule in app.url_map.iter_rules()
        if not rule.websocket
        for method in rule.methods or ()
        if method not in _IMPLIED_METHODS
    )
    return sorted(found, key=lambda route: (route[0].rule, route[1]))


def path_of(rule: Rule) -> str:
    """The rule as OpenAPI spells it: {name} for <name>."""
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)


def _operation(rule: Rule, operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": {
            **{str(status): _response(answer) for status, answer in operation.answers.items()},
            **{
                str(status): {"$ref": f"#/components/responses/{_name(status)}"}
                for status in sorted(set(operation.problems) - operation.answers.keys())
            },
        },
        # An empty list says that no credential is needed, which is not what leaving it out says.
        "security": [{name: []} for name in operation.security],
    }
    if operation.description:
        made["description"] = operation.description
    parameters = [*_path_parameters(rule), *_parameters(operation)]
    if parameters:
        made["parameters"] = parameters
    if operation.body is not None:
        made["requestBody"] = {"required": True, "content": _content({JSON: operation.body})}
    return made


def _path_parameters(rule: Rule) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in sorted(rule.arguments)
    ]


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": given.name, "in": given.where, "description": given.description, "schema": dict(given.schema)}
        for given in operation.parameters
    ]


def _response(answer: Answer) -> dict[str, Any]:
    made: dict[str, Any] = {"description": answer.description}
    if answer.content:
        made["content"] = _content(answer.content)
        if answer.example is not None:
            next(iter(made["content"].values()))["example"] = answer.example
    if answer.headers:
        made["headers"] = _headers(answer.headers)
    return made


def _content(content: Content) -> dict[str, Any]:
    return {media_type: {"schema": _schema(media_type, kind)} for media_type, kind in content.items()}


def _schema(media_type: str, body: Body) -> dict[str, Any]:
    if body is None:
        return {"type": "object" if media_type == JSON else "string"}
    return _event(body) if isinstance(body, tuple) else reference(body)


def _event(kinds: tuple[type[msgspec.Struct], ...]) -> dict[str, Any]:
    """One server-sent event, the data of which is JSON."""
    data = {
        "type": "string",
        "contentMediaType": JSON,
        "contentSchema": {"oneOf": [reference(kind) for kind in kinds]},
    }
    return {"type": "object", "required": ["data"], "properties": {"id": {"type": "string"}, "data": data}}


def _headers(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"description": _HEADERS[name][0], "schema": {"type": _HEADERS[name][1]}} for name in names}


def _problem(status: int) -> dict[str, Any]:
    made = {"description": _PROBLEMS[status], "content": _content({PROBLEM: Problem})}
    return {**made, "headers": _headers(_PROBLEM_HEADERS[status])} if status in _PROBLEM_HEADERS else made


def _name(status: int) -> str:
    return HTTPStatus(status).name.title().replace("_", "")


def _structs(documented: Iterable[Operation]) -> list[type[msgspec.Struct]]:
    answers = (answer for operation in documented for answer in operation.answers.values())
    bodies: list[Body] = [
        *(operation.body for operation in documented),
        *(body for answer in answers for body in answer.content.values()),
    ]
    return [kind for body in bodies if body for kind in (body if isinstance(body, tuple) else (body,))]
