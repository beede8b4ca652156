"""How many bytes a change is on the wire, plain and compressed, and what compressing costs the process that does it.

    python -m bench.wire [--changes 30] [--sockets 300] [--idle 1000]

Sizes: the demo's tenants under every process of the Procfile, each change one event of the live demo, seen by three sockets
at once. Costs: one web process with a Valkey of its own and a snapshot of the demo; plain and compressing sockets take turns.
Clients do not inflate: on a user's machine that costs nobody else anything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import psutil
import requests

from bench.clients import Client, connect, connect_all
from bench.machine import load_note
from bench.sockets import KEYS, MANY, TENANTS, leave, memory_kb
from cli.local.embedded import Valkey, free_port
from demo.live import BUSINESSES, act
from demo.load import load_demo
from shared.snapshot import serve
from tests.servers import WebServer, eventually
from tests.stack import Stack
from tests.tokens import bearer
from web.http.encodings import gzipped
from web.transport.compression import deflated

REMEMBERS = "permessage-deflate; client_max_window_bits"
OFFERS = {"plain": None, "by itself": f"{REMEMBERS}; server_no_context_takeover", "difference": REMEMBERS}
AT_THE_SERVER = {name: OFFERS[name] for name in ("plain", "difference")}
REST = {"snapshot": "/api/dashboard/realtime/aggregate/", "overview": "/api/dashboard/overview/"}


async def changes(stack: Stack, tenant_id: str, count: int) -> dict[str, float]:
    """Bytes a change, the mean over so many events of the live demo, by what the socket agreed on."""
    clients = {name: await connect(stack.port, tenant_id, offer=offer) for name, offer in OFFERS.items()}
    while any(client.frames < 2 for client in clients.values()):
        await asyncio.sleep(0.01)
    chance, before = Random(tenant_id), {name: (client.frames, client.bytes) for name, client in clients.items()}
    for _ in range(count):
        seen = {name: client.frames for name, client in clients.items()}
        await asyncio.to_thread(act, stack.engine, BUSINESSES[tenant_id], chance)
        deadline = time.monotonic() + 1
        # What happened may have changed nothing that is shown.
        while any(client.frames == seen[name] for name, client in clients.items()) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
    found = {
        name: (client.bytes - before[name][1]) / max(1, client.frames - before[name][0])
        for name, client in clients.items()
    }
    for client in clients.values():
        client.leave()
    return found


def body(stack: Stack, tenant_id: str, path: str, accepted: str = "identity") -> requests.Response:
    headers = {**bearer(tenant_id), "Accept-Encoding": accepted}
    return eventually(
        lambda: requests.get(f"{stack.url}{path}", headers=headers, timeout=10), lambda answer: answer.ok, within_s=30
    )


def sizes(count: int) -> dict[str, bytes]:
    """Prints them; returns the bodies of one tenant by name, and the snapshot after one more change."""
    with Stack(fill=load_demo) as stack:
        print(f"bytes a change, mean of {count}, at sockets ({load_note()}):")
        for tenant_id in BUSINESSES:
            body(stack, tenant_id, REST["snapshot"])
            found = asyncio.run(changes(stack, tenant_id, count))
            shares = ", ".join(f"{name} {size:,.0f} (÷ {found['plain'] / size:.1f})" for name, size in found.items())
            print(f"  {tenant_id:<12} {shares}")
        print("bytes of an answer over REST:")
        for tenant_id in BUSINESSES:
            for name, path in REST.items():
                whole, packed = (
                    int(body(stack, tenant_id, path, accepted).headers["Content-Length"])
                    for accepted in ("identity", "gzip")
                )
                print(f"  {tenant_id:<12} {name} {whole:,}, gzip {packed:,} (÷ {whole / packed:.1f})")
        tenant_id = next(iter(BUSINESSES))
        bodies = {name: body(stack, tenant_id, path).content for name, path in REST.items()}
        chance = Random(1)
        while (after := body(stack, tenant_id, REST["snapshot"]).content) == bodies["snapshot"]:
            act(stack.engine, BUSINESSES[tenant_id], chance)
            time.sleep(0.2)
        return {**bodies, "after": after}


def processor_us(work: Callable[[], object], times: int = 400) -> float:
    """Microseconds of processor time, the median of single runs."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        work()
        spent.append(1e6 * (time.process_time() - began))
    return statistics.median(spent)


def costs(bodies: dict[str, bytes]) -> None:
    print(f"processor time for one version in one process ({load_note()}):")
    before, after, overview = bodies["snapshot"], bodies["after"], bodies["overview"]
    for what, work in (
        ("plain", lambda: serve(after, version="1-1", stale=False)),
        ("deflated by itself", lambda: deflated(after)),
        ("deflated difference", lambda: deflated(after, after=before)),
        ("snapshot as gzip", lambda: gzipped(after)),
        ("overview as gzip", lambda: gzipped(overview)),
    ):
        print(f"  {what}: {processor_us(work):,.0f} µs")


def processor_s(server: WebServer) -> float:
    """What the serving process has used so far."""
    (serving,) = psutil.Process(server.process.pid).children()
    spent = serving.cpu_times()
    return float(spent.user + spent.system)


async def fan_out(server: WebServer, clients: Sequence[Client], fields: dict[str, Any]) -> tuple[float, float]:
    """Messages a second, and microseconds of the server's processor time a message, of 40 changes."""
    await asyncio.sleep(0.3)
    spent, rates = processor_s(server), []
    for number in range(40):
        wanted = [client.frames + 1 for client in clients]
        began = time.perf_counter()
        server.write(clients[0].tenant_id, **fields, n=number, at=time.time())
        while any(client.frames < n for client, n in zip(clients, wanted, strict=True)):
            await asyncio.sleep(0.001)
        rates.append(len(clients) / (time.perf_counter() - began))
    return statistics.median(rates), 1e6 * (processor_s(server) - spent) / (40 * len(clients))


async def take_turns(server: WebServer, fields: dict[str, Any], sockets: int) -> None:
    """Fan-out, plain and compressed, three rounds each."""
    print(f"fan-out of a change to {sockets} sockets of one tenant, in turns ({load_note()}):")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in AT_THE_SERVER}
    for _ in range(3):
        for name, offer in AT_THE_SERVER.items():
            server.write("tenant-0", **fields)
            clients = await connect_all(server.port, ["tenant-0"] * sockets, offer=offer)
            found[name].append(await fan_out(server, clients, fields))
            await leave(server, clients)
    for name, runs in found.items():
        rate, cost = (statistics.median(run[place] for run in runs) for place in (0, 1))
        print(f"  {name:<11} {rate:,.0f} messages/s, {cost:.0f} µs of processor time a message")


async def weigh(server: WebServer, fields: dict[str, Any], idle: int, offer: str | None) -> float:
    """kB a socket in a process that has served others before, each after four snapshots."""
    for tenant_id in TENANTS:
        server.write(tenant_id, **fields)
    await leave(server, await connect_all(server.port, TENANTS * 2, offer=offer))
    before = memory_kb(server)
    clients = await connect_all(server.port, (TENANTS * idle)[:idle], offer=offer)
    for number in range(3):
        wanted = [client.frames + 1 for client in clients]
        for tenant_id in TENANTS:
            server.write(tenant_id, **fields, n=number, at=time.time())
        while any(client.frames < n for client, n in zip(clients, wanted, strict=True)):
            await asyncio.sleep(0.01)
    held = (memory_kb(server) - before) / idle
    await leave(server, clients)
    return held


def at_the_server(fields: dict[str, Any], sockets: int, idle: int) -> None:
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        valkey = Valkey(data_dir=Path(folder) / "valkey", port=free_port())
        valkey.start()
        try:
            with WebServer(valkey.url(), KEYS, env=MANY) as server:
                asyncio.run(take_turns(server, fields, sockets))
            print(f"memory of a socket that got four snapshots, over {idle:,} sockets of {len(TENANTS)} tenants:")
            for name, offer in AT_THE_SERVER.items():
                # A process each: what one has freed, the next sockets would take again.
                with WebServer(valkey.url(), KEYS, env=MANY) as server:
                    print(f"  {name:<11} {asyncio.run(weigh(server, fields, idle, offer)):.1f} kB")
        finally:
            valkey.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=30)
    parser.add_argument("--sockets", type=int, default=300)
    parser.add_argument("--idle", type=int, default=1000)
    options = parser.parse_args()
    bodies = sizes(options.changes)
    costs(bodies)
    fields = json.loads(bodies["snapshot"])
    for served in ("user_id", "version", "stale"):
        del fields[served]
    at_the_server(fields, options.sockets, options.idle)


if __name__ == "__main__":
    main()
