"""The OpenAPI and AsyncAPI documents: valid, and equal to the routes, messages and close codes that there are."""

from __future__ import annotations

import gzip
import inspect
import json
from typing import Any

import jsonschema
import msgspec
import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from shared.settings import JwtSettings, Settings
from tests.servers import PROJECT
from tests.tokens import SECRET
from web.alerts import messages as alert_messages
from web.apidocs.asyncapi import Server, asyncapi_document
from web.apidocs.openapi import openapi_document, path_of, routes
from web.apidocs.operations import operations
from web.app import create_app
from web.transport import close_codes, messages
from web.transport.close_codes import CLOSE_CODES, CloseCode

# Nobody listens there: documents are made of what the code says.
NO_REDIS = "redis://127.0.0.1:1/0"
SETTINGS = Settings(redis_url=NO_REDIS, jwt=JwtSettings(secret_key=SECRET), demo=True)
ASYNCAPI_SCHEMA = PROJECT / "tests" / "data" / "asyncapi-3.0.0.json.gz"


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_app(SETTINGS)


@pytest.fixture(scope="module")
def openapi(app: Flask) -> dict[str, Any]:
    return openapi_document(app, SETTINGS)


@pytest.fixture(scope="module")
def asyncapi() -> dict[str, Any]:
    return asyncapi_document(SETTINGS.intervals, Server(host="127.0.0.1:8000"))


def refs(part: Any) -> set[str]:
    """Every $ref in a document."""
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*(refs(value) for value in part.values()))
    return set().union(*(refs(value) for value in part)) if isinstance(part, list) else set()


def resolve(document: dict[str, Any], ref: str) -> Any:
    found: Any = document
    for name in ref.removeprefix("#/").split("/"):
        found = found[name]
    return found


def test_openapi_document_is_valid(openapi: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(openapi).validate()


def test_every_route_and_method_is_documented_and_nothing_else(app: Flask, openapi: dict[str, Any]) -> None:
    there = {(path_of(rule), method) for rule, method in routes(app)}
    documented = {(path, method.upper()) for path, methods in openapi["paths"].items() for method in methods}
    assert documented == there


def test_no_operation_is_described_that_has_no_route(app: Flask) -> None:
    assert operations(10, 300, 30).keys() == {rule.endpoint for rule, _ in routes(app)}


def test_the_demos_sign_in_is_documented_in_the_demo_only(openapi: dict[str, Any]) -> None:
    assert "/demo/sign-in" in openapi["paths"]
    settings = settings_with(demo=False)
    assert "/demo/sign-in" not in openapi_document(create_app(settings), settings)["paths"]


def settings_with(**changed: Any) -> Settings:
    return Settings(redis_url=NO_REDIS, jwt=JwtSettings(secret_key=SECRET), **changed)


def test_whatever_needs_a_token_says_so(openapi: dict[str, Any]) -> None:
    for path, methods in openapi["paths"].items():
        for operation in methods.values():
            assert bool(operation["security"]) == path.startswith("/api/"), path
            assert ("401" in operation["responses"]) == path.startswith("/api/"), path


def test_amounts_are_documented_as_the_numbers_that_they_are(openapi: dict[str, Any]) -> None:
    assert '"format": "decimal"' not in json.dumps(openapi)
    score = openapi["components"]["schemas"]["Score"]["properties"]["value"]
    assert score == {"anyOf": [{"type": "number"}, {"type": "null"}]}


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_every_reference_leads_somewhere_and_every_schema_is_used(name: str, request: pytest.FixtureRequest) -> None:
    document = request.getfixturevalue(name)
    for ref in refs(document):
        assert resolve(document, ref), ref
    used = {ref.rpartition("/")[2] for ref in refs(document) if ref.startswith("#/components/schemas/")}
    assert used == document["components"]["schemas"].keys()


def test_asyncapi_document_is_valid(asyncapi: dict[str, Any]) -> None:
    schema = json.loads(gzip.decompress(ASYNCAPI_SCHEMA.read_bytes()))
    jsonschema.Draft7Validator(schema).validate(asyncapi)


def test_every_socket_is_a_channel(app: Flask, asyncapi: dict[str, Any]) -> None:
    sockets = {path_of(rule) for rule in app.url_map.iter_rules() if rule.websocket}
    channels = {channel["address"] for channel in asyncapi["channels"].values() if "ws" in channel.get("bindings", {})}
    assert channels == sockets


def test_the_stream_is_in_both_documents(openapi: dict[str, Any], asyncapi: dict[str, Any]) -> None:
    stream = asyncapi["channels"]["stream"]
    parameters = {
        parameter["name"]: parameter["schema"]
        for parameter in openapi["paths"][stream["address"]]["get"]["parameters"]
        if parameter["in"] == "query"
    }
    assert parameters == stream["x-query"]


def test_every_message_type_is_documented(asyncapi: dict[str, Any]) -> None:
    tagged = {
        kind.__name__
        for module in (messages, alert_messages)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, msgspec.Struct) and kind.__struct_config__.tag is not None
    }
    assert asyncapi["components"]["messages"].keys() >= tagged


def test_every_operation_speaks_of_messages_of_its_own_channel(asyncapi: dict[str, Any]) -> None:
    for key, operation in asyncapi["operations"].items():
        channel = operation["channel"]["$ref"]
        told = [*operation["messages"], *operation.get("reply", {}).get("messages", [])]
        for message in told:
            assert message["$ref"].startswith(f"{channel}/messages/"), key
            assert resolve(asyncapi, resolve(asyncapi, message["$ref"])["$ref"])["payload"]


def test_every_close_code_of_ours_is_documented(asyncapi: dict[str, Any]) -> None:
    ours = {value for value in vars(close_codes).values() if isinstance(value, CloseCode)}
    assert ours == set(CLOSE_CODES)
    sockets = [channel["x-close-codes"] for channel in asyncapi["channels"].values() if "x-close-codes" in channel]
    assert len(sockets) == 2
    assert all([end["code"] for end in listed] == [end.code for end in CLOSE_CODES] for listed in sockets)


def test_documents_carry_the_release(app: Flask, openapi: dict[str, Any], asyncapi: dict[str, Any]) -> None:
    release = app.test_client().get("/version").get_json()["version"]
    assert openapi["info"]["version"] == asyncapi["info"]["version"] == release


def test_documents_are_served_to_everybody(app: Flask, openapi: dict[str, Any]) -> None:
    visitor = app.test_client()
    answer = visitor.get("/openapi.json")
    assert (answer.status_code, answer.content_type, answer.json) == (200, "application/json", openapi)
    answer = visitor.get("/asyncapi.json", base_url="https://localhost:8443")
    assert answer.get_json()["servers"]["sockets"]["host"] == "localhost:8443"
    assert answer.get_json()["servers"]["sockets"]["protocol"] == "wss"


def test_the_page_is_served_as_strictly_as_the_dashboard(app: Flask) -> None:
    visitor = app.test_client()
    page = visitor.get("/docs")
    assert page.content_type == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"] == visitor.get("/").headers["Content-Security-Policy"]
    assert visitor.get("/docs/").status_code == 200
    assert visitor.get("/docs/docs.js").content_type == "text/javascript; charset=utf-8"
    assert visitor.get("/docs/nothing.js").status_code == 404
