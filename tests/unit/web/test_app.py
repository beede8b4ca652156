"""The app as a whole, without a server and without Redis."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient

from shared.settings import JwtSettings, Settings
from tests.tokens import SECRET, bearer
from web.app import create_app
from web.ops.health import grade


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Flask:
    nowhere = "redis://127.0.0.1:1/0"
    monkeypatch.setenv("REDIS_URL", nowhere)
    return create_app(Settings(redis_url=nowhere, jwt=JwtSettings(secret_key=SECRET)))


def get(app: Flask, path: str, **headers: Any) -> Any:
    client: FlaskClient = app.test_client()
    return client.get(path, headers=headers)


def test_without_redis_every_answer_is_a_designed_one(app: Flask) -> None:
    assert get(app, "/livez").status_code == 200
    for path in ("/readyz", "/api/dashboard/realtime/aggregate/", "/api/dashboard/overview/", "/api/dashboard/health/"):
        answer = get(app, path, **bearer())
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1
    answer = app.test_client().post("/api/dashboard/realtime/recalculate/", headers=bearer())
    assert (answer.status_code, answer.get_json()["code"]) == (503, "store_unavailable")


def test_an_error_of_ours_tells_the_client_nothing_but_its_id(app: Flask) -> None:
    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("SELECT secret FROM host.internal")

    answer = get(app, "/broken")
    assert (answer.status_code, answer.get_json()["code"]) == (500, "internal_error")
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    assert "SELECT" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("status", [400, 403, 406, 409, 415, 418, 429, 501])
def test_every_error_of_flask_is_a_problem(app: Flask, status: int) -> None:
    app.add_url_rule("/aborts", view_func=lambda: abort(status))
    answer = get(app, "/aborts")
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.json["status"] == status


def test_nan_is_never_sent(app: Flask) -> None:
    app.add_url_rule("/nan", view_func=lambda: {"value": float("nan")})
    assert get(app, "/nan").status_code == 500


@pytest.mark.parametrize(
    ("given", "host", "status"),
    [
        ({}, "evil.example", 400),
        ({}, "localhost:8000", 200),
        ({"host": "0.0.0.0"}, "any.example", 200),  # noqa: S104 - nothing is bound here
        ({"host": "0.0.0.0", "trusted_hosts": ("dash.example",)}, "any.example", 400),  # noqa: S104
        ({"host": "0.0.0.0", "trusted_hosts": ("dash.example",)}, "dash.example:443", 200),  # noqa: S104
        ({"host": "0.0.0.0", "trusted_hosts": (".dash.example",)}, "a.dash.example", 200),  # noqa: S104
        ({"host": "10.0.0.7"}, "10.0.0.7:8000", 200),
        ({"host": "10.0.0.7"}, "10.0.0.8:8000", 400),
        ({"host": "::1"}, "[::1]:8000", 200),
        ({"host": "::1"}, "[0:0::1]", 200),
        ({"host": "::1"}, "[fd00::1]:8000", 400),
        ({"host": "::"}, "[fd00::1]:8000", 200),
        ({"trusted_hosts": ("10.0.0.0/8",)}, "10.1.2.3:8331", 200),
        ({"trusted_hosts": ("10.0.0.0/8",)}, "11.1.2.3:8331", 400),
        ({"trusted_hosts": ("10.0.0.0/8",)}, "10.evil.example", 400),
        ({"trusted_hosts": ("fd00::/8",)}, "[fd12::7]:8000", 200),
        ({"trusted_hosts": ("fd00::/8",)}, "[fe80::7]:8000", 400),
        ({"trusted_hosts": ("[fd00::1]", "Dash.Example")}, "[fd00::1]", 200),
        ({"trusted_hosts": ("[fd00::1]", "Dash.Example")}, "dash.EXAMPLE:8000", 200),
        ({"trusted_hosts": ("dash.example",)}, "notdash.example", 400),
        ({"trusted_hosts": ("dash.example",)}, "[::1]:8000", 200),
    ],
)
def test_the_host_is_one_of_ours(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], host: str, status: int
) -> None:
    nowhere = "redis://127.0.0.1:1/0"
    monkeypatch.setenv("REDIS_URL", nowhere)
    app = create_app(Settings(redis_url=nowhere, jwt=JwtSettings(secret_key=SECRET), **given))
    answer = get(app, "/version", Host=host)
    assert (answer.status_code, answer.json.get("code")) == (status, "bad_host" if status == 400 else None)
    # Probes know a process by its address alone.
    assert get(app, "/livez", Host=host).status_code == 200


@pytest.mark.parametrize(
    ("elapsed_ms", "expected"),
    [(0, "excellent"), (99.99, "excellent"), (100, "good"), (500, "poor"), (999.9, "poor"), (1000, "critical")],
)
def test_grades_change_at_their_thresholds(elapsed_ms: float, expected: str) -> None:
    assert grade(elapsed_ms, Settings(redis_url="").thresholds) == expected
