"""The proxy samples of deploy/, started as they are but for names and ports: streams, sockets, origins, limits, logs."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import websocket
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cli.local import processes
from cli.local.embedded import free_port
from shared.keys import Keys
from tests.compressing import CompressingSocket
from tests.conftest import Services
from tests.patience import PATIENCE
from tests.servers import PROJECT, WebServer, eventually
from tests.tokens import bearer, token

TENANT = "acme"
SNAPSHOT = "/api/dashboard/realtime/aggregate/"
STREAM = "/api/dashboard/streaming/aggregate/"
NAME = "dashboard.example.com"
# A proxy that buffers passes nothing on before its buffer is full or the stream ends, 15 s later at the earliest.
LAG_S = 1.0 * PATIENCE
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs, the web process behind it, and whom to believe."""

    port: int
    web: WebServer
    authority: Path
    access_log: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


def certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate of localhost, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "daybook.crt", directory / "daybook.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


def adapted(sample: str, changes: Mapping[str, str]) -> str:
    """The sample with each of these passages replaced; all of them must be there."""
    text = (PROJECT / "deploy" / sample).read_text()
    for passage, replacement in changes.items():
        assert passage in text, f"{sample} has no {passage!r}"
        text = text.replace(passage, replacement)
    return text


def nginx(directory: Path, port: int, web_port: int, log: Path) -> list[str]:
    """The command that runs the sample for nginx."""
    site = adapted("nginx.conf", {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl", "listen 80": f"listen 127.0.0.1:{free_port()}",
        NAME: "localhost", "127.0.0.1:8000": f"127.0.0.1:{web_port}",
        "/etc/nginx/daybook.": f"{directory}/daybook.", "/var/log/nginx/daybook.log": str(log),
    })  # fmt: skip
    (directory / "site.conf").write_text(site)
    temporary = "".join(
        f"{kind}_temp_path {directory}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    main = directory / "nginx.conf"
    main.write_text(
        f"daemon off;\n{user}\npid {directory}/pid;\nevents {{}}\nhttp {{\n{temporary}include {directory}/site.conf;\n}}\n"
    )
    return ["nginx", "-e", str(directory / "error.log"), "-p", str(directory), "-c", str(main)]


def caddy(directory: Path, port: int, web_port: int, log: Path) -> list[str]:
    """The command that runs the sample for Caddy."""
    site = adapted("Caddyfile", {
        f"{NAME} {{": f"https://localhost:{port} {{\n\ttls {directory}/daybook.crt {directory}/daybook.key\n",
        "127.0.0.1:8000": f"127.0.0.1:{web_port}", "/var/log/caddy/daybook.log": str(log),
    })  # fmt: skip
    (directory / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(directory / "Caddyfile")]


@pytest.fixture(scope="module")
def web(services: Services) -> Iterator[WebServer]:
    env = {"DASHBOARD_TRUSTED_PROXIES": "127.0.0.1", "DASHBOARD_TRUSTED_HOSTS": "localhost"}
    with WebServer(services.redis_url, Keys(f"p{uuid.uuid4().hex[:12]}"), env=env) as web:
        web.write(TENANT, n=0)
        yield web


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest, web: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    command: Callable[[Path, int, int, Path], list[str]] = request.param
    directory = tmp_path_factory.mktemp(command.__name__)
    port, log = free_port(), directory / "access.log"
    authority, _ = certificate(directory)
    argv = command(directory, port, web.port or 0, log)
    if shutil.which(argv[0], path=PATH) is None:
        pytest.skip(f"{argv[0]} is not installed (bin/test installs it as root on Debian)")
    environment = {"PATH": PATH, "HOME": str(directory), "XDG_DATA_HOME": str(directory)}
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(argv, env=environment, stdout=output, stderr=output, start_new_session=True)
    found = Proxy(port, web, authority, log)
    try:
        eventually(lambda: answers(found) or process.poll() is not None, within_s=20.0)
        assert process.poll() is None, (directory / "output").read_text()
        yield found
    finally:
        process.terminate()
        process.wait(10 * PATIENCE)
        processes.kill_group(process.pid)


def answers(proxy: Proxy) -> bool:
    try:
        return requests.get(f"{proxy.url}/livez", verify=str(proxy.authority), timeout=5).ok
    except requests.ConnectionError:
        return False


def test_a_stream_passes_each_snapshot_on_at_once(proxy: Proxy) -> None:
    with requests.get(
        proxy.url + STREAM, headers=bearer(TENANT), stream=True, verify=str(proxy.authority), timeout=10
    ) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines(chunk_size=1)
        for n in range(5):
            proxy.web.write(TENANT, n=f"stream {n}")
            written = time.monotonic()
            assert any(f"stream {n}".encode() in line for line in lines)
            assert time.monotonic() - written < LAG_S


def test_a_socket_is_upgraded_and_gets_each_snapshot_at_once(proxy: Proxy) -> None:
    address = proxy.url.replace("https://", "wss://")
    client = websocket.create_connection(
        f"{address}/ws/dashboard/{TENANT}/", timeout=10, sslopt={"ca_certs": str(proxy.authority)},
        header=[f"Authorization: Bearer {token(TENANT)}"],
    )  # fmt: skip
    assert json.loads(client.recv())["type"] == "connection.established"
    for n in range(5):
        proxy.web.write(TENANT, n=f"socket {n}")
        written = time.monotonic()
        while json.loads(client.recv()).get("data", {}).get("n") != f"socket {n}":
            assert time.monotonic() - written < LAG_S
    client.send('{"type":"ping"}')
    assert json.loads(client.recv())["type"] == "pong"
    client.close()


def test_what_is_compressed_once_arrives_compressed(proxy: Proxy) -> None:
    pad = {str(number): number * number for number in range(400)}
    with CompressingSocket(proxy.port, TENANT, authority=proxy.authority) as client:
        client.receive_type("dashboard.update")
        for n in ("first", "second"):
            proxy.web.write(TENANT, n=n, pad=pad)
            while client.receive_type("dashboard.update")["data"].get("n") != n:
                pass
        assert client.sizes[-1] < len(client.texts[-1]) / 20
        client.send({"type": "ping"})
        assert client.receive_type("pong")
    answer = requests.get(proxy.url + SNAPSHOT, headers=bearer(TENANT), verify=str(proxy.authority), timeout=10)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.json()["pad"] == pad


def test_our_own_origin_is_the_one_that_the_browser_sees(proxy: Proxy) -> None:
    def status(origin: str) -> int:
        return requests.get(
            proxy.url + SNAPSHOT, cookies={"access_token_cookie": token(TENANT)}, headers={"Origin": origin},
            verify=str(proxy.authority), timeout=10,
        ).status_code  # fmt: skip

    assert status(proxy.url) == 200
    assert status(proxy.url.replace("https", "http")) == 403


def test_what_is_too_large_or_not_for_everybody_is_stopped(proxy: Proxy) -> None:
    recalculate = proxy.url + "/api/dashboard/realtime/recalculate/"
    body = b"x" * 70_000
    # Caddy passes on what it has, and may find the web process's refusal, or its head alone, before it comes to its own.
    with requests.post(
        recalculate, data=body, headers=bearer(TENANT), stream=True, verify=str(proxy.authority), timeout=10
    ) as answer:
        assert answer.status_code in (413, 502)
    assert requests.get(f"{proxy.url}/metrics", verify=str(proxy.authority), timeout=10).status_code == 404


def test_the_proxy_logs_addresses_without_their_query(proxy: Proxy) -> None:
    requests.get(f"{proxy.url}/livez?ticket=hunter2", verify=str(proxy.authority), timeout=10)
    requests.get(f"{proxy.url}/livez/last", verify=str(proxy.authority), timeout=10)
    log = eventually(proxy.access_log.read_text, lambda text: "/livez/last" in text)
    assert "/livez" in log
    assert "hunter2" not in log
