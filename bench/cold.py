"""What many tenants cost of whom few are looked at, and what a midnight of half of them does to those few.

    python -m bench.cold [--tenants 100000] [--hot 1000] [--commits 20] [--seconds 60] [--documents 5]

Every process of the Procfile runs for real. The hot tenants have one socket each; every second commit is a hot tenant's, all
others are spread over everyone. Processor time is that of PostgreSQL, Redis and all of Daybook's processes together, in
percent of one core. The midnight is brought about by setting back the day that a time zone was last seen at.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from typing import Any

import psutil
import psycopg
from sqlalchemy import Engine, text

from bench import machine, stages
from bench.clients import connect_all
from bench.latency import SALE, Screens
from bench.machine import POSTGRES, load_note, percentile
from tests.servers import eventually
from tests.stack import Stack

ZONE = "Pacific/Kiritimati"
FIRST_SWEEP_WITHIN_S = 900.0
WITHIN_S = 30.0
QUIET_S = 3.0
_numbers = itertools.count(1)


def fill(engine: Engine, options: argparse.Namespace) -> None:
    """The tenants; half of them live in one time zone."""
    machine.fill(engine, tenants=options.tenants, documents=options.documents)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            text("UPDATE dashboard.tenant SET timezone = :zone WHERE right(tenant_id, 1) < '5'"), {"zone": ZONE}
        )


def seconds_used(stack: Stack) -> dict[str, float]:
    """Processor time of everything that the stack runs, children included, since they began: by process of the stack."""
    services = {"postgres": stack.postgres.process, "valkey": stack.valkey.process}
    return {
        name: _with_children(process.pid)
        for name, process in {**services, **stack.running}.items()
        if process is not None
    }


def _with_children(pid: int) -> float:
    root, total = psutil.Process(pid), 0.0
    for process in (root, *root.children(recursive=True)):
        times = process.cpu_times()
        # Children that have ended are in their parent's account.
        total += times.user + times.system + times.children_user + times.children_system
    return total


async def commits(
    db: psycopg.AsyncConnection[Any], screens: Screens, hot: Sequence[str], options: argparse.Namespace
) -> list[float]:
    """Seconds from COMMIT to the socket, of the hot tenants' commits."""
    chance = random.Random(1)
    answers: list[asyncio.Future[float]] = []
    begin = time.perf_counter()
    for number in range(int(options.seconds * options.commits)):
        await asyncio.sleep(max(0.0, begin + number / options.commits - time.perf_counter()))
        is_hot = number % 2 == 0
        tenant_id = hot[number // 2 % len(hot)] if is_hot else f"volume-{chance.randint(1, options.tenants):05}"
        await db.execute(SALE, [f"cold-{next(_numbers)}", tenant_id])
        if is_hot:
            answers += screens.expect_one_more(tenant_id, time.perf_counter())
        await db.commit()
    return list(await asyncio.wait_for(asyncio.gather(*answers), WITHIN_S))


async def round_(
    what: str, stack: Stack, db: psycopg.AsyncConnection[Any], screens: Screens, options: argparse.Namespace
) -> float:
    """Commit for a while, and print what it cost and how fresh the hot tenants were; returns their p99 in milliseconds."""
    hot = list(screens.clients)
    used, began, stages_before = seconds_used(stack), time.monotonic(), stages.read(stack.url)
    answers = await commits(db, screens, hot, options)
    took_s = time.monotonic() - began
    shares = {name: 100 * (now - used[name]) / took_s for name, now in seconds_used(stack).items()}
    p50, p99 = (1000 * percentile(answers, share) for share in (0.5, 0.99))
    print(
        f"{what}: {sum(shares.values()):.0f} % of one core; hot tenants: p50 {p50:.0f} ms, p99 {p99:.0f} ms ({load_note()})"
    )
    print("  " + ", ".join(f"{name} {share:.1f} %" for name, share in shares.items()))
    print(*stages.between(stages_before, stages.read(stack.url)), sep="\n")
    return p99


async def measure(stack: Stack, options: argparse.Namespace) -> None:
    screens = Screens()
    hot = [f"volume-{number:05}" for number in range(1, options.hot + 1)]
    clients = await connect_all(stack.port, hot, screens.heard)
    for client in clients:
        screens.clients.setdefault(client.tenant_id, []).append(client)
    while len(screens.pending) < len(clients):
        await asyncio.sleep(0.05)
    # What the looking itself asks for is not what is measured. It is queued after the web process has said who looks.
    quiet_s = 0.0
    while quiet_s < QUIET_S:
        await asyncio.sleep(0.1)
        is_said = stack.redis.zcard(stack.keys.looked) >= len(hot)
        quiet_s = quiet_s + 0.1 if is_said and not stack.redis.llen(stack.keys.queue("commands")) else 0.0
    async with await psycopg.AsyncConnection.connect(stack.database_url) as db:
        steady = await round_("steady", stack, db, screens, options)
        await db.execute("UPDATE dashboard.local_day SET local_date = local_date - 1 WHERE timezone = %s", [ZONE])
        await db.commit()
        midnight = await round_("midnight of half of them", stack, db, screens, options)
        print(f"  p99 × {midnight / steady:.2f}")
        row = await (await db.execute("SELECT count(*) FROM dashboard.change WHERE due_at <= now()")).fetchone()
        print(f"  still due after {options.seconds:.0f} s: {row[0] if row else 0} changes")
    for client in clients:
        client.leave()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=100_000)
    parser.add_argument("--hot", type=int, default=1000)
    parser.add_argument("--documents", type=int, default=5, help="of each tenant")
    parser.add_argument("--commits", type=float, default=20, help="a second")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    stack = Stack(
        env={"DASHBOARD_COLD_DELAY": "60", "DASHBOARD_AUDIT_INTERVAL": "0"},
        postgres_options=POSTGRES,
        fill=lambda engine: fill(engine, options),
    )
    with stack:
        began = time.monotonic()
        eventually(
            lambda: (
                stack.redis.dbsize() >= options.tenants
                and stack.redis.llen(stack.keys.queue("sweep")) == 0
                and stack.db.execute("SELECT count(*) FROM dashboard.change").fetchone() == (0,)
            ),
            within_s=FIRST_SWEEP_WITHIN_S,
        )
        print(f"{options.tenants} tenants computed for the first time in {time.monotonic() - began:.0f} s")
        asyncio.run(measure(stack, options))


if __name__ == "__main__":
    main()
