"""The running API keeps to its own document, whatever it is sent: requests made up from /openapi.json, answers held to it."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shared.settings import JwtSettings, Settings
from tests.integration.documents.conftest import TENANT
from tests.servers import WebServer
from tests.tokens import SECRET, bearer
from web.apidocs.openapi import openapi_document
from web.app import create_app

# Not `unsupported_method`: a GET with a body is refused for its body (413) before anything looks at its method.
CHECKS = [
    not_a_server_error,
    ignored_auth,
    negative_data_rejection,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Of four faults in what is accepted, 40 found those that 100 did (bounds of a number, characters of a key).
EXAMPLES_EACH = 40
# The same document as the running server's, needed before there is one: each operation is a test of its own.
SETTINGS = Settings(redis_url="redis://127.0.0.1:1/0", jwt=JwtSettings(secret_key=SECRET))
schema = schemathesis.openapi.from_dict(openapi_document(create_app(SETTINGS), SETTINGS))


@schema.parametrize()
@settings(
    max_examples=EXAMPLES_EACH,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_a_documented_one(case: Case[Any], web_with_demo: WebServer) -> None:
    if case.path.endswith("/streaming/aggregate/"):
        end_soon(case)
    case.call_and_validate(web_with_demo.url, headers=bearer(TENANT), checks=CHECKS, timeout=20)


def end_soon(case: Case[Any]) -> None:
    """A stream ends by itself after one update, unless it asks for something that is refused."""
    asked = str(case.query.get("max_updates", 1))
    if asked.isascii() and asked.isdigit() and 1 <= int(asked) <= 1000:
        case.query["max_updates"] = 1
