"""The web process is killed, told to end, frozen and starved; clients reconnect and end with the truth."""

from __future__ import annotations

import contextlib
import signal
import time

import pytest

from tests.faults.clients import SocketClient, StreamClient
from tests.faults.conftest import LONG, Measured
from tests.faults.watch import Watch
from tests.live import Socket
from tests.patience import PATIENCE
from tests.servers import eventually
from tests.stack import Stack
from web.access.slots import RESERVED_DESCRIPTORS

# gunicorn replaces a process that has said nothing for so long: 15 s in web/gunicorn_config.py.
HANGS_FOR_S = 15 if LONG else 4
LEASE_S = 60
DESCRIPTORS = 256
MOST_SOCKETS = DESCRIPTORS - RESERVED_DESCRIPTORS


def reconnected(watch: Watch) -> None:
    """Every socket and stream has a second connection."""
    eventually(lambda: all(client.connections >= 2 for client in watch.live))


def test_a_killed_web_worker_is_replaced_and_clients_reconnect(stack: Stack, watch: Watch, measured: Measured) -> None:
    (worker,) = stack.children("web")
    started = time.monotonic()
    worker.kill()
    reconnected(watch)
    measured(23, watch.recovered(within_s=5.0, since=started))
    leases = stack.keys.connections(watch.tenant)
    if LONG:
        eventually(lambda: stack.redis.zcount(leases, time.time(), "+inf"), lambda n: n == 2, within_s=LEASE_S + 5.0)
    else:
        assert stack.redis.zcount(leases, time.time() + LEASE_S + 2, "+inf") == 0, "held for more than a minute"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_end_it_says_goodbye_and_is_gone(
    stack: Stack, watch: Watch, measured: Measured, how: signal.Signals
) -> None:
    (worker,) = stack.children("web")
    process = stack.running["web"]
    started = time.monotonic()
    process.send_signal(how)
    if how is signal.SIGTERM:
        assert process.wait(10 * PATIENCE) == 0
        assert time.monotonic() - started < 3.0 * PATIENCE
        measured(24, time.monotonic() - started)
        stack.start("web")
    worker.wait(10 * PATIENCE)
    reconnected(watch)
    watch.recovered(within_s=10.0)
    for client in watch.live:
        if isinstance(client, SocketClient):
            assert client.closes[0] == 1012
        if isinstance(client, StreamClient):
            assert client.ends[0] == "restarting"


def test_a_web_worker_that_hangs_is_replaced(stack: Stack, watch: Watch, measured: Measured) -> None:
    stack.stop("web")
    stack.start("web", GUNICORN_CMD_ARGS=f"--timeout {HANGS_FOR_S}")
    watch.recovered(within_s=20.0)
    (worker,) = stack.children("web")
    started = time.monotonic()
    worker.suspend()
    worker.wait((HANGS_FOR_S + 5.0) * PATIENCE)
    eventually(lambda: all(client.connections >= 3 for client in watch.live))
    measured(25, watch.recovered(within_s=HANGS_FOR_S + 10.0, since=started))
    stack.stop("web")


def test_out_of_descriptors_it_refuses_the_next_and_serves_the_others(stack: Stack, measured: Measured) -> None:
    stack.stop("web")
    limited = f"sh -c 'ulimit -n {DESCRIPTORS}; exec {stack.procfile['web']}'"
    stack.start("web", limited, DASHBOARD_MAX_WEBSOCKET_CONNECTIONS="1000")
    stack.wait_until_ready()
    with Watch(stack) as watch, contextlib.ExitStack() as opened:
        for _ in range(MOST_SOCKETS - stack.redis.zcard(stack.keys.connections(watch.tenant)) * 2):
            opened.enter_context(Socket(stack.port, watch.tenant_ids[1]))
        asked = time.monotonic()
        for _ in range(10):
            with pytest.raises(AssertionError, match=" 503 "):
                Socket(stack.port, watch.tenant_ids[1])
        assert time.monotonic() - asked < 5.0 * PATIENCE
        shown = [len(client.history) for client in watch.clients]
        stack.sale(watch.tenant)
        stack.sale(watch.tenant_ids[1])
        eventually(lambda: all(len(c.history) > n for c, n in zip(watch.clients, shown, strict=True)), within_s=5.0)
        opened.close()
        measured(30, watch.recovered(within_s=10.0))
        watch.assert_stayed_connected()
    stack.stop("web")
