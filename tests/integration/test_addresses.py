"""Under which addresses a web process answers, and that nothing which a client sends moves a path."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import requests

from cli.web_process import base_url, is_ready
from shared.keys import Keys
from shared.settings import JwtSettings, Settings
from tests.conftest import Services
from tests.live import Wire
from tests.servers import WebServer, eventually
from tests.tokens import SECRET, bearer

PROBES = ("/livez", "/readyz", "/metrics")


@pytest.fixture(scope="module")
def proxied(services: Services) -> Iterator[WebServer]:
    """A web process whose proxy is trusted, as behind the samples of deploy/; SCRIPT_NAME is of another project."""
    env = {
        "DASHBOARD_TRUSTED_PROXIES": "127.0.0.1",
        "DASHBOARD_TRUSTED_HOSTS": "dashboard.example.com,10.0.0.0/8",
        "SCRIPT_NAME": "/other",
    }
    with WebServer(services.redis_url, Keys(f"a{uuid.uuid4().hex[:12]}"), env=env) as web:
        eventually(lambda: requests.get(f"{web.url}/readyz", timeout=5).ok)
        yield web


def status(web: WebServer, path: str, *headers: str) -> int:
    """The status of a GET with these header lines as they are; a name may hold what clients would not send."""
    with Wire(web.port) as wire:
        wire.socket.sendall("\r\n".join([f"GET {path} HTTP/1.1", *headers, "Connection: close", "", ""]).encode())
        return int(wire.read_until(b"\r\n").split()[1])


@pytest.mark.parametrize("host", ["192.0.2.7:8331", "[2001:db8::7]:8331", "anything.example"])
def test_probes_answer_by_any_address(proxied: WebServer, host: str) -> None:
    assert [status(proxied, path, f"Host: {host}") for path in PROBES] == [200, 200, 200]
    assert status(proxied, "/version", f"Host: {host}") == 400


def test_a_host_may_be_any_of_a_network(proxied: WebServer) -> None:
    assert status(proxied, "/version", "Host: 10.1.2.3:8331") == 200
    assert status(proxied, "/version", "Host: 11.1.2.3:8331") == 400


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "SCRIPT-NAME", "X-Script-Name", "PATH_INFO", "X-Forwarded-Prefix"])
@pytest.mark.parametrize("prefix", ["/x", "/nowhere", "/livez"])
def test_no_header_moves_a_path_even_through_a_trusted_proxy(proxied: WebServer, name: str, prefix: str) -> None:
    headers = ("Host: dashboard.example.com", f"{name}: {prefix}")
    assert status(proxied, "/x/metrics", *headers) == 404
    assert status(proxied, "/nowhere", *headers) == 404
    assert status(proxied, "/livez", *headers) == 200


def test_an_ipv6_address_is_listened_on_and_found_again(services: Services) -> None:
    with WebServer(services.redis_url, Keys(f"a{uuid.uuid4().hex[:12]}"), host="::1") as web:
        settings = Settings(redis_url=services.redis_url, jwt=JwtSettings(secret_key=SECRET), host="::1", port=web.port)
        assert base_url(settings) == web.url
        assert eventually(lambda: is_ready(settings))
        web.write("acme", n=1)
        answer = requests.get(f"{web.url}/api/dashboard/realtime/aggregate/", headers=bearer("acme"), timeout=5)
        assert answer.status_code == 200
        own = requests.get(
            f"{web.url}/api/dashboard/realtime/aggregate/",
            cookies={"access_token_cookie": bearer("acme")["Authorization"].split()[1]},
            headers={"Origin": web.url},
            timeout=5,
        )
        assert own.status_code == 200
