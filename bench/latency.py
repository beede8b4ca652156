"""How long it takes until clients see it: a commit, one that follows another, a recalculation command, and a commit beside a
tenant that never rests.

    python -m bench.latency [--tenants 100] [--sockets 3] [--commits 10 …] [--seconds 30] [--rows 1000]

Every process of the Procfile runs for real; clients and writer are one more process on the same machine. An answer is the
first message that shows what was committed, at every socket of the tenant. Milliseconds from just before COMMIT is sent,
or the request, to the message in the client's hands; in peace also what each stage of it took, as /metrics tells. Four rounds
of freshness, side by side: in peace, once for each rate of --commits, the others with the first one; while somebody writes
--rows rows a second into a table that is none of Daybook's (what the writing itself costs the machine); while one tenant
writes them into its invoices; and while somebody writes elsewhere and reads that tenant's facts as often as it was computed
before, outside of Daybook (what the machine has left when so much is written and read on it). --rows 0: only in peace.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from typing import Any

import psycopg

from bench import stages
from bench.clients import Client, connect_all
from bench.machine import load_note, percentile, product
from tests.servers import eventually
from tests.stack import Stack
from tests.tokens import bearer
from workers.database import make_engine
from workers.source import Source

WITHIN_S = 20.0
# Between two commits of what is one action to a person.
STEP_S = 0.05
SALE = """
    INSERT INTO dashboard.invoice (tenant_id, invoice_id, status, issue_date, due_date, currency, total, tax, balance)
    SELECT tenant_id, %s, 'posted', (now() AT TIME ZONE timezone)::date, (now() AT TIME ZONE timezone)::date + 30,
           'USD', 10, 0, 10
    FROM dashboard.tenant WHERE tenant_id = %s
"""
ELSEWHERE = "INSERT INTO elsewhere (tenant_id, id, total) VALUES (%s, %s, 10)"
_numbers = itertools.count(1)


@dataclass
class Screens:
    """What every client shows, and what is awaited of it: the number of pending invoices, which each sale raises."""

    pending: dict[Client, int] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    clients: dict[str, list[Client]] = field(default_factory=dict)
    promised: dict[str, int] = field(default_factory=dict)
    awaited: dict[Client, list[tuple[int, float, asyncio.Future[float]]]] = field(default_factory=dict)

    def heard(self, client: Client, message: dict[str, Any]) -> None:
        if message["type"] != "dashboard.update":
            return
        arrived = time.perf_counter()
        data = message["data"]
        count = next(int(metric["value"]) for metric in data["metrics"] if metric["name"] == "Pending Invoices")
        self.pending[client] = count
        self.revisions[client.tenant_id] = int(data["version"].partition("-")[2])
        waiting = self.awaited.pop(client, [])
        self.awaited[client] = [one for one in waiting if one[0] > count]
        for wanted, since, seen in waiting:
            if wanted <= count and not seen.done():
                seen.set_result(arrived - since)

    def shown(self, tenant_id: str) -> int:
        """Pending invoices of the tenant as its clients have them."""
        return max(self.pending[client] for client in self.clients[tenant_id])

    def expect_one_more(self, tenant_id: str, since: float) -> list[asyncio.Future[float]]:
        """As `expect`, of one more than it shows and than was expected before."""
        return self.expect(tenant_id, max(self.shown(tenant_id), self.promised.get(tenant_id, 0)) + 1, since)

    def expect(self, tenant_id: str, count: int, since: float) -> list[asyncio.Future[float]]:
        """Seconds after `since` until each socket of the tenant shows so many pending invoices."""
        self.promised[tenant_id] = count
        futures = []
        for client in self.clients[tenant_id]:
            seen: asyncio.Future[float] = asyncio.get_running_loop().create_future()
            self.awaited.setdefault(client, []).append((count, since, seen))
            futures.append(seen)
        return futures


async def commits(
    db: psycopg.AsyncConnection[Any], screens: Screens, tenants: Sequence[str], *, per_s: float, seconds: float
) -> list[float]:
    """Seconds from COMMIT to each socket, tenants taking turns."""
    answers: list[asyncio.Future[float]] = []
    begin = time.perf_counter()
    for number in range(int(seconds * per_s)):
        await asyncio.sleep(max(0.0, begin + number / per_s - time.perf_counter()))
        tenant_id = tenants[number % len(tenants)]
        await db.execute(SALE, [f"sale-{next(_numbers)}", tenant_id])
        answers += screens.expect_one_more(tenant_id, time.perf_counter())
        await db.commit()
    return list(await asyncio.wait_for(asyncio.gather(*answers), WITHIN_S))


async def second_commits(db: psycopg.AsyncConnection[Any], screens: Screens, tenants: Sequence[str]) -> list[float]:
    """Seconds from the second of two COMMITs, which follows the first by STEP_S, to each socket; one tenant at a time."""
    answers: list[float] = []
    for tenant_id in tenants:
        for is_second in (False, True):
            begin = time.perf_counter()
            await db.execute(SALE, [f"sale-{next(_numbers)}", tenant_id])
            futures = screens.expect_one_more(tenant_id, time.perf_counter())
            await db.commit()
            if not is_second:
                await asyncio.sleep(max(0.0, begin + STEP_S - time.perf_counter()))
        answers += await asyncio.wait_for(asyncio.gather(*futures), WITHIN_S)
    return answers


async def commands(
    db: psycopg.AsyncConnection[Any], screens: Screens, tenants: Sequence[str], stack: Stack
) -> list[float]:
    """Seconds from the request for a recalculation to each socket; the rows before it were written uncaptured."""
    await db.execute("SET session_replication_role = replica")
    await db.commit()
    answers = []
    for tenant_id in tenants:
        await db.execute(SALE, [f"sale-{next(_numbers)}", tenant_id])
        await db.commit()
        since = time.perf_counter()
        futures = screens.expect_one_more(tenant_id, since)
        await recalculate(stack, tenant_id)
        answers += await asyncio.wait_for(asyncio.gather(*futures), WITHIN_S)
    await db.execute("SET session_replication_role = origin")
    await db.commit()
    return answers


async def recalculate(stack: Stack, tenant_id: str) -> None:
    """POST realtime/recalculate, its answer awaited."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
    head = (
        "POST /api/dashboard/realtime/recalculate/ HTTP/1.1",
        f"Host: 127.0.0.1:{stack.port}",
        f"Authorization: {bearer(tenant_id)['Authorization']}",
        "Content-Length: 0",
        "Connection: close",
    )
    writer.write("\r\n".join([*head, "", ""]).encode())
    answer = await reader.read()
    assert b" 200 " in answer.split(b"\r\n", 1)[0], answer[:300]
    writer.close()


def write_without_rest(url: str, statement: str, tenant_id: str, per_s: int, stop: Event, written: Any) -> None:
    """One row a transaction, `per_s` a second if the server can; a process of its own."""
    with psycopg.connect(url, autocommit=True) as db:
        begin = time.perf_counter()
        for number in itertools.count():
            if stop.is_set():
                break
            time.sleep(max(0.0, begin + number / per_s - time.perf_counter()))
            row = (f"burst-{begin}-{number}", tenant_id)
            db.execute(statement.encode(), row if statement == SALE else row[::-1])
        written.put((number, time.perf_counter() - begin, time.perf_counter()))


def read_without_rest(url: str, tenant_id: str, per_s: float, stop: Event) -> None:
    """Everything that a computation of the tenant reads, so often; a process of its own, as a worker is."""
    source = Source(make_engine(url))
    begin = time.perf_counter()
    for number in itertools.count():
        if stop.wait(max(0.0, begin + number / per_s - time.perf_counter())):
            break
        source.load([tenant_id])


async def beside(
    stack: Stack,
    db: psycopg.AsyncConnection[Any],
    screens: Screens,
    tenants: Sequence[str],
    options: Any,
    statement: str,
) -> tuple[list[float], float]:
    """Freshness of the other tenants while the first writes without rest, and how often that one was computed a second;
    prints what becomes of the first."""
    hot, others = tenants[0], tenants[1:]
    spawn = multiprocessing.get_context("spawn")
    stop, written = spawn.Event(), spawn.Queue()
    before, revision = screens.shown(hot), screens.revisions[hot]
    writer = spawn.Process(
        target=write_without_rest, args=(stack.database_url, statement, hot, options.rows, stop, written), daemon=True
    )
    writer.start()
    await asyncio.sleep(1.0)
    answers = await commits(db, screens, others, per_s=options.commits[0], seconds=options.seconds)
    stop.set()
    rows, seconds, ended = await asyncio.to_thread(written.get, timeout=WITHIN_S)
    writer.join()
    print(f"  written: {rows / seconds:,.0f} rows a second, one a transaction")
    computed = (screens.revisions[hot] - revision) / seconds
    if statement == SALE:
        expected = before + rows
        late = [
            0.0 if screens.pending[client] >= expected else await asyncio.wait_for(seen, WITHIN_S)
            for client, seen in zip(screens.clients[hot], screens.expect(hot, expected, ended), strict=True)
        ]
        print(
            f"  the busy tenant: {computed:.1f} computations a second, its final state on every socket"
            f" {1000 * max(late):,.0f} ms after its last commit"
        )
    return answers, computed


def report(what: str, answers: list[float]) -> float:
    p50, p99 = (1000 * percentile(answers, share) for share in (0.5, 0.99))
    print(
        f"{what}: p50 {p50:.0f} ms, p99 {p99:.0f} ms, slowest {1000 * max(answers):.0f} ms"
        f" ({len(answers)} messages; {load_note()})"
    )
    return p99


async def measure(stack: Stack, options: argparse.Namespace) -> None:
    screens = Screens()
    tenants = [f"volume-{number:05}" for number in range(1, options.tenants + 1)]
    clients = await connect_all(stack.port, [t for t in tenants for _ in range(options.sockets)], screens.heard)
    for client in clients:
        screens.clients.setdefault(client.tenant_id, []).append(client)
    while len(screens.pending) < len(clients):
        await asyncio.sleep(0.05)
    async with AsyncExitStack() as opened:
        db = await opened.enter_async_context(await psycopg.AsyncConnection.connect(stack.database_url))
        await db.execute("CREATE TABLE elsewhere (tenant_id text, id text, total numeric, PRIMARY KEY (tenant_id, id))")
        await db.commit()
        await commits(db, screens, tenants[:20], per_s=10, seconds=2)
        report(f"command → message, {len(clients)} sockets", await commands(db, screens, tenants, stack))
        what = f"the second of two commits of a tenant, {1000 * STEP_S:.0f} ms apart → message"
        report(what, await second_commits(db, screens, tenants))
        for per_s in options.commits:
            before = stages.read(stack.url)
            answers = await commits(db, screens, tenants, per_s=per_s, seconds=options.seconds)
            what = f"commit → message, {options.tenants} tenants, {len(clients)} sockets, {per_s:g} commits a second"
            report(what, answers)
            print(*stages.between(before, stages.read(stack.url)), sep="\n")
        if options.rows:
            await measure_beside(stack, db, screens, tenants, options)
    for client in clients:
        client.leave()


async def measure_beside(
    stack: Stack, db: psycopg.AsyncConnection[Any], screens: Screens, tenants: Sequence[str], options: Any
) -> None:
    """The rounds in which others write."""
    answers, _ = await beside(stack, db, screens, tenants, options, ELSEWHERE)
    alone = report("the same while the machine writes elsewhere", answers)
    answers, computed = await beside(stack, db, screens, tenants, options, SALE)
    busy = report("the same while one tenant writes without rest", answers)
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    arguments = (stack.database_url, tenants[0], computed, stop)
    reader = spawn.Process(target=read_without_rest, args=arguments, daemon=True)
    reader.start()
    answers, _ = await beside(stack, db, screens, tenants, options, ELSEWHERE)
    stop.set()
    laden = report("the same while the machine writes and reads as much elsewhere", answers)
    print(f"  the others' p99: × {busy / alone:.2f} of writing elsewhere, × {busy / laden:.2f} of writing and reading")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=100)
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--sockets", type=int, default=3, help="of each tenant")
    parser.add_argument("--commits", type=float, default=[10], nargs="+", help="a second; several in turn")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rows", type=int, default=1000, help="a second")
    options = parser.parse_args()
    with product(tenants=options.tenants, documents=options.documents) as stack:
        eventually(
            lambda: stack.db.execute("SELECT count(*) FROM dashboard.change").fetchone(),
            lambda row: row == (0,),
            within_s=60,
        )
        asyncio.run(measure(stack, options))


if __name__ == "__main__":
    main()
