"""One address whose primary is demoted while another server takes over: a managed failover."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import redis
import requests

from cli.local.embedded import Valkey, free_port
from tests.faults.conftest import Measured
from tests.faults.proxy import Proxy
from tests.faults.watch import Watch
from tests.servers import eventually
from tests.stack import Stack


def ready(stack: Stack) -> int:
    return requests.get(f"{stack.url}/readyz", timeout=5).status_code


def test_everybody_leaves_a_primary_that_was_demoted(tmp_path: Path, measured: Measured) -> None:
    with ExitStack() as exits:
        old, new = (Valkey(data_dir=tmp_path / name, port=free_port()) for name in ("old", "new"))
        for server in (old, new):
            server.start()
            exits.callback(server.stop)
        before, after = (exits.enter_context(redis.Redis(port=server.port)) for server in (old, new))
        after.replicaof("127.0.0.1", str(old.port))
        proxy = exits.enter_context(Proxy(old.port))
        stack = exits.enter_context(Stack(redis_url=proxy.url))
        watch = exits.enter_context(Watch(stack))
        after.replicaof("NO", "ONE")
        before.replicaof("127.0.0.1", str(new.port))
        # Open connections stay with the old one, new ones still come to it: it answers reads and refuses writes.
        eventually(lambda: ready(stack) == 503, within_s=3.0)
        proxy.target = new.port
        moved = time.monotonic()
        measured(6, watch.recovered(within_s=15.0, since=moved))
        watch.assert_stayed_connected()
        assert ready(stack) == 200
