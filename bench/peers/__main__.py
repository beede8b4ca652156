"""Reads, memory of a socket and push latency: Daybook beside FastAPI and Django + Channels, one process each, in turns.

    python -m bench.peers [--seconds 3] [--rounds 2] [--idle 2000] [--sockets 300] [--changes 60]

Needs wrk (Debian: apt-get install wrk). The first run installs what the peers run on into .local/peers. The peers leave out
what docs/performance.md lists; only the ratios within a run say something.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.clients import Client, connect_all
from bench.machine import load_note, percentile
from bench.peers.contestants import PATH, PEERS, Contestant, daybook, install, peer, remember
from bench.requests import taking_turns, wrk
from bench.sockets import TENANTS
from cli.local.embedded import Valkey, free_port
from tests.tokens import bearer, token

CONNECTIONS = (1, 16)
TOKENS = 20_000  # more than anybody answers within a second, for which Daybook may repeat an answer
Figures = dict[str, list[float]]


def show(what: str, unit: str, found: Mapping[str, float], *, digits: int = 0) -> None:
    """A line with each server's figure and what Daybook's is of the peers'."""
    values = "   ".join(f"{name} {value:,.{digits}f}" for name, value in found.items())
    ratios = ", ".join(f"× {found['Daybook'] / found[name]:.2f}" for name in PEERS)
    print(f"  {what:<34} {values} {unit}   Daybook ÷ peer: {ratios}", flush=True)


def reads(servers: Mapping[str, Contestant], script: Path, seconds: int, rounds: int) -> None:
    """The newest snapshot, asked again and again by one client, and by clients that each ask for the first time."""
    print(f"reads a second, and milliseconds ({load_note()}):")
    for what, chosen in {"one token": None, "a token each": script}.items():
        for connections in CONNECTIONS:
            found: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
            for number in range(rounds):
                for name in list(servers)[:: 1 if number % 2 else -1]:
                    headers = {} if chosen else bearer(TENANTS[0])
                    found[name].append(wrk(servers[name].url + PATH, headers, connections, seconds, chosen))
            for figure, unit, digits in (("rate", "/s", 0), ("p50", "ms", 2), ("p99", "ms", 2)):
                middle = {name: statistics.median(run[figure] for run in runs) for name, runs in found.items()}
                show(f"{what}, {connections} connections, {figure}", unit, middle, digits=digits)


async def gone(clients: Sequence[Client]) -> None:
    for client in clients:
        client.leave()
    await asyncio.sleep(1)


async def weigh(server: Contestant, count: int) -> float:
    """kB of one idle socket, in a process that has served others before."""
    await gone(await connect_all(server.port, TENANTS))
    before = server.memory_kb()
    clients = await connect_all(server.port, (TENANTS * count)[:count])
    while any(client.frames < 2 for client in clients):
        await asyncio.sleep(0.05)
    held = (server.memory_kb() - before) / count
    await gone(clients)
    return held


async def push(server: Contestant, sockets: int, changes: int) -> list[float]:
    """Milliseconds from before the write until each socket of the tenant had the message, one change after the other."""
    clients = await connect_all(server.port, TENANTS[:1] * sockets)
    while any(client.frames < 2 for client in clients):
        await asyncio.sleep(0.05)
    took: list[float] = []
    for number in range(1, changes + 1):  # 0 is there already, and Daybook sends nothing that has not changed
        wanted = [client.frames + 1 for client in clients]
        started = time.perf_counter()
        server.publish(TENANTS[0], number)
        async with asyncio.timeout(10):
            while any(client.frames < n for client, n in zip(clients, wanted, strict=True)):
                await asyncio.sleep(0.001)
        took += [1000 * (client.arrived - started) for client in clients]
        await asyncio.sleep(0.03)
    await gone(clients)
    return took


def measure(servers: Mapping[str, Contestant], script: Path, options: argparse.Namespace) -> None:
    reads(servers, script, options.seconds, options.rounds)
    print(f"sockets ({load_note()}):")
    weights = {name: asyncio.run(weigh(server, options.idle)) for name, server in servers.items()}
    show(f"memory, {options.idle:,} idle sockets", "kB a socket", weights, digits=1)
    took: Figures = {name: [] for name in servers}
    for number in range(options.rounds):
        for name in list(servers)[:: 1 if number % 2 else -1]:
            took[name] += asyncio.run(push(servers[name], options.sockets, options.changes // options.rounds))
    for share in (0.5, 0.99):
        figures = {name: percentile(values, share) for name, values in took.items()}
        show(f"push to {options.sockets} sockets, p{100 * share:.0f}", "ms", figures, digits=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement of reads")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--sockets", type=int, default=300)
    parser.add_argument("--changes", type=int, default=60)
    options = parser.parse_args()
    install()
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder, ExitStack() as running:
        script = taking_turns(Path(folder), [token(TENANTS[n % len(TENANTS)], jti=str(n)) for n in range(TOKENS)])
        valkey = Valkey(data_dir=Path(folder) / "valkey", port=free_port())
        valkey.start()
        running.callback(valkey.stop)
        servers: dict[str, Contestant] = {"Daybook": running.enter_context(daybook(valkey.url()))}
        for tenant_id in TENANTS:
            servers["Daybook"].publish(tenant_id, 0)
        remember(servers["Daybook"], TENANTS)
        for name in PEERS:
            servers[name] = running.enter_context(peer(name, valkey.url()))
        for tenant_id in TENANTS:
            servers["FastAPI"].publish(tenant_id, 0)
        measure(servers, script, options)


if __name__ == "__main__":
    main()
