"""Daybook's web process and each peer, one worker process each, seen alike: an address, a process, and a way to publish."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
import psutil
import redis
import requests

from bench.sockets import FILLING, KEYS, MANY
from cli.local.embedded import free_port
from tests.servers import PROJECT, WebServer, eventually, inherited_environment
from tests.tokens import SECRET, bearer

SERVERS = Path(__file__).parent / "servers"
ENVIRONMENT = PROJECT / ".local" / "peers"
PEERS = {"FastAPI": "fastapi_server:app", "Django + Channels": "django_server:app"}
PATH = "/api/dashboard/realtime/aggregate/"
UNLIMITED = {"DASHBOARD_RATE_REQUESTS": "1000000000/minute", "DASHBOARD_RATE_REQUESTS_PER_USER": "1000000000/minute"}


class Contestant(Protocol):
    """A server that is measured."""

    port: int

    @property
    def url(self) -> str: ...
    def memory_kb(self) -> float:
        """What the serving process holds for itself alone."""

    def publish(self, tenant_id: str, number: int) -> None:
        """A new snapshot, and its notice."""


@dataclass
class Daybook:
    server: WebServer

    def __post_init__(self) -> None:
        self.port = self.server.port

    @property
    def url(self) -> str:
        return self.server.url

    def memory_kb(self) -> float:
        (serving,) = psutil.Process(self.server.process.pid).children()
        return float(serving.memory_full_info().uss) / 1024

    def publish(self, tenant_id: str, number: int) -> None:
        self.server.write(tenant_id, filling=FILLING["4 kB"], n=number)


@dataclass
class Peer:
    name: str
    port: int
    process: subprocess.Popen[bytes]
    client: redis.Redis

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def memory_kb(self) -> float:
        return float(psutil.Process(self.process.pid).memory_full_info().uss) / 1024

    def publish(self, tenant_id: str, number: int) -> None:
        snapshot = daybook_made(tenant_id, number)
        with self.client.pipeline(transaction=True) as both:
            both.set(f"peer:{tenant_id}", snapshot)
            if self.name == "FastAPI":
                both.publish(f"peer:notice:{tenant_id}", b"")
            else:
                # What channel_layer.group_send() publishes, in channels_redis 4.3.
                event = {"type": "dashboard.changed", "snapshot": snapshot.decode()}
                both.publish(f"asgi__group__tenant.{tenant_id}", msgspec.msgpack.encode(event))
            both.execute()


_snapshots: dict[str, dict[str, Any]] = {}


def daybook_made(tenant_id: str, number: int) -> bytes:
    """The snapshot as Daybook would answer it, with a new number: kept from the first answer that Daybook gave."""
    return msgspec.json.encode({**_snapshots[tenant_id], "n": number})


def remember(daybook: Contestant, tenant_ids: list[str]) -> None:
    """What Daybook answers for these tenants is what the peers serve."""
    for tenant_id in tenant_ids:
        answer = requests.get(daybook.url + PATH, headers=bearer(tenant_id), timeout=5)
        answer.raise_for_status()
        _snapshots[tenant_id] = answer.json()


def install() -> Path:
    """The peers' own interpreter, made on the first run and whenever their requirements changed."""
    wanted = hashlib.sha256((SERVERS / "requirements.txt").read_bytes()).hexdigest()
    mark = ENVIRONMENT / "requirements.sha256"
    if not mark.exists() or mark.read_text() != wanted:
        print("installing what the peers run on …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", SERVERS / "requirements.txt"], check=True)
        mark.write_text(wanted)
    return ENVIRONMENT / "bin" / "python"


@contextmanager
def daybook(redis_url: str) -> Iterator[Daybook]:
    with WebServer(redis_url, KEYS, env={**MANY, **UNLIMITED}) as server:
        yield Daybook(server)


@contextmanager
def peer(name: str, redis_url: str) -> Iterator[Peer]:
    """Under uvicorn with uvloop and httptools, as its own documentation advises for production; without a log of requests."""
    port = free_port()
    with redis.Redis.from_url(redis_url) as client:
        process = subprocess.Popen(
            [str(install()), "-m", "uvicorn", "--app-dir", str(SERVERS), PEERS[name], "--port", str(port), "--loop", "uvloop",
             "--http", "httptools", "--no-access-log", "--log-level", "warning", "--backlog", "4096"],
            env={**inherited_environment(), "JWT_SECRET_KEY": SECRET, "REDIS_URL": redis_url}, start_new_session=True,
        )  # fmt: skip
        try:
            found = Peer(name, port, process, client)
            eventually(lambda: _answers(found.url), within_s=20)
            yield found
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(url + PATH, timeout=1).status_code == 401
    except requests.RequestException:
        time.sleep(0.05)
        return False
