"""What sockets cost one web process: memory when idle, acceptance, fan-out of one change, and readers that stopped reading.

    python -m bench.sockets [--sockets 2000] [--stalled 500]

The web process runs as in production, with a Valkey of its own; snapshots are written beside it, in the store's own way.
Clients are one other process on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import requests

from bench.clients import Client, connect, connect_all
from bench.machine import load_note, percentile
from cli.local.embedded import Valkey, free_port
from shared.keys import Keys
from tests.servers import WebServer

KEYS = Keys("bench")
TENANTS = [f"tenant-{number}" for number in range(100)]
# A snapshot of a tenant with 500 documents is as long; the short one is what a notice would be.
FILLING = {"4 kB": "x" * 3900, "300 bytes": "x" * 100}
MANY = {
    "DASHBOARD_MAX_WEBSOCKET_CONNECTIONS": "20000",
    "DASHBOARD_MAX_CONNECTIONS": "20000",
    "DASHBOARD_RATE_STREAMS": "1000000/minute",
    "DASHBOARD_INTERVAL_MAX": "86400",
    "DASHBOARD_INTERVAL_DEFAULT": "86400",
}
EVERY_S = 0.1


def memory_kb(server: WebServer) -> float:
    """What the serving process holds for itself alone."""
    (serving,) = psutil.Process(server.process.pid).children()
    return float(serving.memory_full_info().uss) / 1024


async def leave(server: WebServer, clients: list[Client]) -> None:
    """All of them go, and the server has noticed."""
    for client in clients:
        client.leave()
    while server.client.zcard(KEYS.connections(clients[0].tenant_id)):
        await asyncio.sleep(0.05)


async def idle(server: WebServer, count: int) -> None:
    """Sockets that were opened and then nothing happens."""
    for tenant_id in TENANTS:
        server.write(tenant_id, filling=FILLING["4 kB"])
    await leave(server, await connect_all(server.port or 0, TENANTS * 2))
    before = memory_kb(server)
    started = time.perf_counter()
    clients = await connect_all(server.port or 0, (TENANTS * count)[:count])
    seconds = time.perf_counter() - started
    while any(client.frames < 2 for client in clients):
        await asyncio.sleep(0.05)
    held = (memory_kb(server) - before) / count
    print(f"accepted: {count / seconds:,.0f} sockets a second with JWT and first message, 50 at once ({load_note()})")
    print(f"idle memory: {held:.1f} kB a socket, over {count:,} sockets of {len(TENANTS)} tenants")
    await leave(server, clients)


async def fan_out(server: WebServer, count: int, size: str) -> None:
    """One change of one tenant, to many sockets."""
    clients = await connect_all(server.port or 0, ["tenant-0"] * count)
    await asyncio.sleep(1)
    rates, first = [], []
    for number in range(15):
        wanted = [client.frames + 1 for client in clients]
        started = time.perf_counter()
        server.write("tenant-0", n=number, filling=FILLING[size], size=size)
        while not any(client.frames >= n for client, n in zip(clients, wanted, strict=True)):
            await asyncio.sleep(0)
        first.append(time.perf_counter() - started)
        while any(client.frames < n for client, n in zip(clients, wanted, strict=True)):
            await asyncio.sleep(0.001)
        rates.append(count / (time.perf_counter() - started))
    print(
        f"fan-out of a snapshot of {size} to {count:,} sockets: {percentile(rates, 0.5):,.0f} a second,"
        f" first socket after {1000 * percentile(first, 0.5):.1f} ms ({load_note()})"
    )
    await leave(server, clients)


async def peers(server: WebServer, stalled: list[Client], count: int, seconds: float) -> tuple[float, float]:
    """p50 and p99 in milliseconds of sockets that read, a change every EVERY_S; how much memory that took beside."""
    sent: dict[int, float] = {}
    answers: list[float] = []

    def heard(_: Client, message: dict[str, Any]) -> None:
        number = message.get("data", {}).get("n")
        if number in sent:
            answers.append(1000 * (time.perf_counter() - sent[number]))

    clients = await connect_all(server.port or 0, ["tenant-0"] * count, heard)
    before, most = memory_kb(server), 0.0
    for number in range(int(seconds / EVERY_S)):
        sent[number] = time.perf_counter()
        server.write("tenant-0", n=number, filling=FILLING["4 kB"], stalled=len(stalled))
        most = max(most, memory_kb(server) - before)
        await asyncio.sleep(max(0.0, sent[number] + EVERY_S - time.perf_counter()))
    await asyncio.sleep(1)
    p50, p99 = percentile(answers, 0.5), percentile(answers, 0.99)
    print(
        f"  {len(stalled)} stalled: p50 {p50:.1f} ms, p99 {p99:.1f} ms ({len(answers):,} messages);"
        f" memory + {most / 1024:.0f} MB; {load_note()}"
    )
    for client in clients:
        client.leave()
    return p50, p99


async def stall(server: WebServer, readers: int, stalled: int, seconds: float) -> None:
    """Readers beside clients of the same tenant that never read again."""
    print(f"{readers} readers beside stalled ones, a change of 4 kB every {EVERY_S:.1f} s for {seconds:.0f} s:")
    _, alone = await peers(server, [], readers, seconds)
    idlers = [await connect(server.port or 0, "tenant-0", receive_buffer=4096) for _ in range(stalled)]
    for client in idlers:
        client.stop_reading()
    _, beside = await peers(server, idlers, readers, seconds)
    print(f"  the readers' p99: × {beside / alone:.2f}; closed as too slow: {too_slow(server):.0f}")
    await leave(server, idlers)


def too_slow(server: WebServer) -> float:
    """How many sockets were closed with 4408 so far."""
    lines = requests.get(f"{server.url}/metrics", timeout=5).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if "_total{" in line and '"4408"' in line)


async def measure(server: WebServer, options: argparse.Namespace) -> None:
    await idle(server, options.sockets)
    for size in FILLING:
        await fan_out(server, min(1000, options.sockets), size)
    await stall(server, 200, options.stalled, options.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, default=2000)
    parser.add_argument("--stalled", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=12, help="of each round with stalled readers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        valkey = Valkey(data_dir=Path(folder) / "valkey", port=free_port())
        valkey.start()
        try:
            with WebServer(valkey.url(), KEYS, env=MANY) as server:
                asyncio.run(measure(server, options))
        finally:
            valkey.stop()


if __name__ == "__main__":
    main()
