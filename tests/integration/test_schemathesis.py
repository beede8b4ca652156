"""The running API keeps to its own document, whatever it is sent: requests made up from /openapi.json, answers held to it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
import requests
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

from demo.load import load_demo
from shared.keys import Keys
from shared.settings import JwtSettings, Settings
from tests.conftest import TEMPLATE, Services
from tests.servers import WebServer, Worker, eventually
from tests.tokens import SECRET, bearer
from web.apidocs.openapi import openapi_document
from web.app import create_app
from workers.database import make_engine

TENANT = "demo"
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
EXAMPLES_EACH = 100
# Limits have tests of their own; here they would only hide the other answers.
UNLIMITED = {f"DASHBOARD_RATE_{name}": "1000000/minute" for name in ("REQUESTS", "STREAMS", "RECALCULATIONS")}

# The same document as the running server's, needed before there is one: each operation is a test of its own.
SETTINGS = Settings(redis_url="redis://127.0.0.1:1/0", jwt=JwtSettings(secret_key=SECRET))
schema = schemathesis.openapi.from_dict(openapi_document(create_app(SETTINGS), SETTINGS))


@pytest.fixture(scope="module")
def web_with_demo(services: Services) -> Iterator[WebServer]:
    """A web process and a worker over the demo's tenants, with a first snapshot."""
    name, keys = f"test_{uuid4().hex}", Keys(f"s{uuid4().hex[:12]}")
    url = services.database_url(name)
    with psycopg.connect(services.postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        engine = make_engine(url)
        load_demo(engine)
        engine.dispose()
        with WebServer(services.redis_url, keys, env=UNLIMITED) as web, Worker(services.redis_url, url, keys) as worker:
            assert worker
            eventually(lambda: get(web, "/api/dashboard/overview/"), lambda status: status == 200, within_s=30)
            yield web
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def get(web: WebServer, path: str) -> int:
    return requests.get(web.url + path, headers=bearer(TENANT), timeout=10).status_code


@schema.parametrize()
@settings(
    max_examples=EXAMPLES_EACH,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_a_documented_one(case: Case, web_with_demo: WebServer) -> None:
    if case.path.endswith("/streaming/aggregate/"):
        end_soon(case)
    case.call_and_validate(web_with_demo.url, headers=bearer(TENANT), checks=CHECKS, timeout=20)


def end_soon(case: Case) -> None:
    """A stream ends by itself after one update, unless it asks for something that is refused."""
    asked = str(case.query.get("max_updates", 1))
    if asked.isascii() and asked.isdigit() and 1 <= int(asked) <= 1000:
        case.query["max_updates"] = 1
