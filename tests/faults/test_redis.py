"""Redis is killed, frozen, emptied, filled up and cut off; clients end with the truth, and no version goes back."""

from __future__ import annotations

import re
import shutil
import signal
import time
from collections.abc import Iterator

import pytest
import requests

from shared.notices import Notice, encode_notice
from tests.faults.conftest import LONG, Measured
from tests.faults.locks import READING_FACTS, locked, somebody_waits
from tests.faults.proxy import Proxy
from tests.faults.watch import Watch
from tests.patience import PATIENCE
from tests.servers import eventually
from tests.stack import Stack

FROZEN_S = 10.0 if LONG else 6.0
# Web's own: two questions without an answer, each 0.7 s, asked every second.
TOLD_WITHIN_S = 4.0
# What Celery says when it could not connect, and in how many seconds it looks for the broker again.
LOOKS_AGAIN = re.compile(r"Trying again in ([\d.]+) seconds")


def away(stack: Stack, watch: Watch, since: float, *, for_s: float) -> None:
    """What must hold while Redis is away, until it has been so for so long."""
    eventually(lambda: watch.all_told_stale(since), within_s=TOLD_WITHIN_S)
    eventually(lambda: requests.get(f"{stack.url}/readyz", timeout=5).status_code == 503, within_s=2.0)
    while time.monotonic() - since < for_s:
        asked = time.monotonic()
        assert requests.get(f"{stack.url}/livez", timeout=5).status_code == 200
        assert stack.get(watch.tenant).json()["stale"] is True
        assert time.monotonic() - asked < 1.5 * PATIENCE
        time.sleep(0.2)


def epochs(watch: Watch) -> set[str]:
    """The epochs of what clients show."""
    return {client.history[-1].version.epoch for client in watch.clients}


@pytest.mark.parametrize(("row", "for_s"), [(1, 3.0), (2, 20.0)] if LONG else [(1, 4.0)])
def test_redis_killed_comes_back_with_its_data(
    stack: Stack, watch: Watch, measured: Measured, row: int, for_s: float
) -> None:
    before, killed = epochs(watch), time.monotonic()
    assert stack.valkey.process
    stack.valkey.process.kill()
    stack.valkey.process.wait()
    watch.sales()
    away(stack, watch, killed, for_s=for_s)
    # Celery alone would look less and less often: after a minute's outage 14 s later.
    said = eventually(lambda: LOOKS_AGAIN.findall(stack.log("worker")), lambda said: len(said) >= 3, within_s=10.0)
    assert set(said) == {"2.00"}
    started = time.monotonic()
    stack.valkey.start()
    measured(row, watch.converged(within_s=10.0, since=started))
    watch.assert_stayed_connected()
    # The newest second may be lost with the process, and then the epoch with it.
    assert len(epochs(watch) - before) <= 2


def test_workers_that_have_their_hands_full_as_redis_dies_take_tasks_again(
    stack: Stack, watch: Watch, measured: Measured
) -> None:
    """What became of their tasks they can tell nobody then, and they listen for no more tasks than they may have in hand."""
    # Twice: what a worker is told about its connection has to outlast the connection.
    for _ in range(2):
        redis_dies_with_all_hands_full(stack, watch)
        started = time.monotonic()
        stack.valkey.start()
        measured(1, watch.converged(within_s=10.0, since=started))
        watch.recovered(within_s=5.0)
    watch.assert_stayed_connected()


def redis_dies_with_all_hands_full(stack: Stack, watch: Watch) -> None:
    """Every child process computes as Redis is killed, and ends after that."""
    rejected = tasks_rejected(stack)
    with locked(stack):
        for number, tenant_id in enumerate(watch.tenant_ids, 1):
            stack.sale(tenant_id)
            somebody_waits(stack, count=number, asking=READING_FACTS)
        killed = time.monotonic()
        assert stack.valkey.process
        stack.valkey.process.kill()
        stack.valkey.process.wait()
        eventually(lambda: watch.all_told_stale(killed), within_s=TOLD_WITHIN_S)
    eventually(lambda: tasks_rejected(stack) - rejected, lambda more: more >= len(watch.tenant_ids), within_s=10.0)


def tasks_rejected(stack: Stack) -> int:
    """Tasks that ended while they could neither write nor be tried again later, as the child processes say."""
    return sum(stack.log(name).count("reject requeue=False") for name in ("worker", "sweeper"))


def test_redis_frozen_costs_an_answer_a_second_at_most(stack: Stack, watch: Watch, measured: Measured) -> None:
    assert stack.valkey.process
    frozen = time.monotonic()
    stack.valkey.process.send_signal(signal.SIGSTOP)
    try:
        watch.sales()
        away(stack, watch, frozen, for_s=FROZEN_S)
    finally:
        stack.valkey.process.send_signal(signal.SIGCONT)
    measured(3, watch.converged(within_s=10.0))
    watch.assert_stayed_connected()
    assert max(client.slowest_s(frozen) for client in watch.rest) < 1.5 * PATIENCE
    assert {status for client in watch.rest for status in client.statuses_since(frozen)} == {200}


def test_redis_emptied_begins_a_new_epoch(stack: Stack, watch: Watch, measured: Measured) -> None:
    before, started = epochs(watch), time.monotonic()
    stack.redis.flushall()
    # Until it is noticed everybody shows the truth of before.
    eventually(lambda: not epochs(watch) & before, within_s=10.0)
    measured(4, watch.converged(within_s=10.0, since=started))
    watch.recovered(within_s=5.0)
    watch.assert_stayed_connected()


def test_redis_restarted_empty_begins_a_new_epoch(stack: Stack, watch: Watch, measured: Measured) -> None:
    before = epochs(watch)
    stack.valkey.stop()
    shutil.rmtree(stack.valkey.data_dir)
    started = time.monotonic()
    stack.valkey.start()
    eventually(lambda: not epochs(watch) & before, within_s=10.0)
    measured(5, watch.converged(within_s=10.0, since=started))
    watch.recovered(within_s=5.0)
    watch.assert_stayed_connected()


def test_a_full_redis_is_read_and_writes_again_when_there_is_room(
    stack: Stack, watch: Watch, measured: Measured
) -> None:
    full = time.monotonic()
    stack.redis.config_set("maxmemory", "1")
    watch.sales()
    eventually(lambda: watch.all_told_stale(full), within_s=12.0)
    assert {status for client in watch.rest for status in client.statuses_since(full)} == {200}
    stack.revive()
    stack.redis.config_set("maxmemory", "0")
    measured(7, watch.converged(within_s=10.0))
    assert stack.redis.info("stats")["evicted_keys"] == 0
    watch.assert_stayed_connected()


def test_killed_subscriptions_are_made_again(stack: Stack, watch: Watch, measured: Measured) -> None:
    slowest = 0.0
    for _ in range(5):
        # The subscription of a moment ago may have been what the clients recovered without.
        eventually(lambda: stack.redis.client_kill_filter(_type="pubsub") > 0)
        slowest = max(slowest, watch.recovered(within_s=5.0))
    measured(9, slowest)
    watch.assert_stayed_connected()
    watch.assert_never_told("channel_silent")


def test_a_web_process_that_was_disconnected_for_its_backlog_catches_up(
    stack: Stack, watch: Watch, measured: Measured
) -> None:
    stack.signal("web", signal.SIGSTOP)
    # Small ones: large strings Valkey keeps once, whoever waits for them, and does not count.
    padded = encode_notice(Notice(heartbeat=1)).replace(b"1", b" " * 8_000 + b"1")
    for _ in range(50):
        with stack.redis.pipeline(transaction=False) as pipe:
            for _ in range(100):
                pipe.publish(stack.keys.notices, padded)
            reached = pipe.execute()
    assert reached[-1] == 0, "still connected"
    watch.sales()
    stack.signal("web", signal.SIGCONT)
    measured(10, watch.converged(within_s=10.0))
    watch.assert_stayed_connected()


@pytest.fixture
def proxied(stack: Stack) -> Iterator[Proxy]:
    """Web reaches Redis through a proxy."""
    with Proxy(stack.valkey.port) as proxy:
        stack.stop("web")
        stack.start("web", REDIS_URL=proxy.url)
        stack.wait_until_ready()
        yield proxy
        stack.stop("web")


def test_a_subscription_that_falls_silent_is_noticed_and_made_again(
    proxied: Proxy, stack: Stack, measured: Measured
) -> None:
    with Watch(stack) as watch:
        assert proxied.swallow_subscriptions() > 0
        measured(8, watch.recovered(within_s=8.0))
        watch.assert_stayed_connected()
        watch.assert_never_told("channel_silent")


def test_a_slow_and_lossy_network_makes_it_slower_and_nothing_else(
    proxied: Proxy, stack: Stack, measured: Measured
) -> None:
    with Watch(stack) as watch:
        proxied.delay_s, proxied.loss = 0.2, 0.05
        worse, connections = time.monotonic(), proxied.accepted
        for _ in range(5):
            watch.recovered(within_s=10.0)
        answers = sorted(a.elapsed_s for client in watch.rest for a in client.answers if a.at > worse)
        p99 = answers[int(len(answers) * 0.99)]
        measured(31, p99)
        assert p99 < 2.0 * PATIENCE
        assert proxied.accepted - connections < 30 * PATIENCE, "a storm of reconnects"
        watch.assert_stayed_connected()
        proxied.delay_s = proxied.loss = 0.0
        watch.recovered(within_s=10.0)
