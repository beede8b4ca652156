"""Below DASHBOARD_BASE_PATH every address begins with it, whether a proxy strips it or not, and no header changes that."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from shared.errors import ConfigError
from shared.setting_values import OWN_PATHS
from shared.settings import JwtSettings, Settings
from tests.tokens import SECRET, token
from web.app import create_app

GIVEN = {"REDIS_URL": "redis://127.0.0.1:1/0", "JWT_SECRET_KEY": SECRET}


@pytest.fixture
def client() -> FlaskClient:
    settings = Settings(
        redis_url=GIVEN["REDIS_URL"], jwt=JwtSettings(secret_key=SECRET), demo=True, base_path="/books/dash"
    )
    return create_app(settings).test_client()


@pytest.mark.parametrize("prefix", ["/books/dash", ""])
def test_an_address_is_found_with_the_path_and_without(client: FlaskClient, prefix: str) -> None:
    for path in ("/livez", "/version", "/static/client.js", "/docs", "/openapi.json", "/"):
        assert client.get(prefix + path).status_code == 200, path
    assert client.get(f"{prefix}/api/dashboard/health/").status_code == 401
    assert client.get(f"{prefix}/books/dash/version" if prefix else "/other/version").status_code == 404


def test_every_address_that_is_given_out_begins_with_the_path(client: FlaskClient) -> None:
    for page in ("/", "/docs"):
        links = re.findall(r'(?:href|src)="(/[^"]*)"', client.get(page).text)
        assert links
        assert [link for link in links if not link.startswith("/books/dash/")] == []
    assert client.get("/openapi.json").get_json()["servers"][0]["url"] == "/books/dash/"
    servers = client.get("/asyncapi.json").get_json()["servers"].values()
    assert [server["pathname"] for server in servers] == ["/books/dash", "/books/dash"]


def test_the_demos_cookie_is_kept_to_the_path(client: FlaskClient) -> None:
    response = client.get(f"/demo/sign-in?token={token('demo')}")
    assert response.headers["Location"] == "/books/dash/"
    assert "Path=/books/dash/" in response.headers["Set-Cookie"]


def test_no_header_moves_it(client: FlaskClient) -> None:
    moved = dict.fromkeys(("X-Forwarded-Prefix", "Script-Name", "X-Script-Name", "Path-Info"), "/elsewhere")
    assert '"/books/dash/static/app.js"' in client.get("/", headers=moved).text


@pytest.mark.parametrize(
    "bad", ["dash", "/dash/", "/", "/a//b", "/../x", "/a b", "/é", *(f"/{own}" for own in sorted(OWN_PATHS))]
)
def test_a_path_that_could_be_mistaken_is_refused_at_the_start(bad: str) -> None:
    with pytest.raises(ConfigError, match="DASHBOARD_BASE_PATH"):
        Settings.from_env({**GIVEN, "DASHBOARD_BASE_PATH": bad}, role="web")
