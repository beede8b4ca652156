"""SIGTERM with everything open: each client is told, and the process is gone in time."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from shared.keys import Keys
from tests.conftest import Services
from tests.live import Events, Socket, Wire, upgrade
from tests.patience import PATIENCE
from tests.servers import WebServer, eventually
from tests.tokens import token


@pytest.fixture
def web(services: Services, keys: Keys) -> WebServer:
    return WebServer(services.redis_url, keys)


def test_sigterm_closes_sockets_with_1012_ends_streams_and_the_process_within_three_seconds(web: WebServer) -> None:
    with web, ExitStack() as stack:
        web.write("t", n=1)
        sockets = [stack.enter_context(Socket(web.port, "t")) for _ in range(20)]
        streams = [stack.enter_context(Events(web.port, "t")) for _ in range(5)]
        stack.enter_context(Socket(web.port, "t", receive_buffer=4096))  # never reads
        stack.enter_context(Wire(web.port))  # says nothing
        for stream in streams:
            stream.receive_type("dashboard_update")
        for n in range(2, 30):
            web.write("t", n=n, pad="x" * 50_000)

        started = time.monotonic()
        web.process.terminate()
        # All of them read: who does not while others are said goodbye to may find that the process had no time to wait.
        with ThreadPoolExecutor(32) as pool:
            closes = pool.map(Socket.closed, sockets)
            ends = pool.map(lambda stream: stream.receive_type("stream_end"), streams)
            assert set(closes) == {1012}
        for stream, end in zip(streams, ends, strict=True):
            assert end["reason"] == "restarting"
            assert int(end["_retry"]) >= 1000
            stream.cut_off()
            assert stream.ended
        assert web.process.wait(10 * PATIENCE) == 0
        assert time.monotonic() - started < 3 * PATIENCE
        # Every place was given back: nobody waits a minute for a lease to expire.
        assert web.client.zcard(web.keys.connections("t")) <= 1


def test_a_request_in_flight_is_answered_before_the_end(web: WebServer) -> None:
    with web:
        with Wire(web.port) as client:
            # A tenant without a snapshot: the answer waits for it.
            head = f"GET /api/dashboard/realtime/aggregate/ HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n"
            client.socket.sendall(f"{head}Authorization: Bearer {token('late')}\r\n\r\n".encode())
            eventually(lambda: any(event["event"] == "task_sent" for event in web.events))
            web.process.terminate()
            eventually(lambda: any(event["event"] == "draining" for event in web.events))
            web.write("late", n=1)
            assert client.read_until(b"\r\n").startswith(b"HTTP/1.1 200 ")
        assert web.process.wait(5 * PATIENCE) == 0


def test_hup_replaces_the_process_and_clients_are_told(web: WebServer) -> None:
    with web:
        web.write("t", n=1)
        with Socket(web.port, "t") as client:
            client.receive_type("dashboard.update")
            web.process.send_signal(signal.SIGHUP)
            assert client.closed() == 1012
        # The one that leaves may answer a few more with 503; the new one takes over.
        path, authorization = "/ws/dashboard/t/", f"Authorization: Bearer {token('t')}"
        eventually(lambda: " 101 " in _upgraded(web, path, authorization), within_s=5)


def _upgraded(web: WebServer, path: str, authorization: str) -> str:
    with Wire(web.port) as wire:
        return upgrade(wire, path, authorization)
