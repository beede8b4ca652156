"""How fast tenants are recalculated: all of them through real workers, beside a naive dashboard, and where the time goes.

    python -m bench.recalculate [--tenants 1000] [--documents 500] [--runs 6] [--profile FILE]

Prints tenants per second of `bin/dash recalculate --all`: first of workers that compute everybody, then again and again where
nothing has changed, until each process remembers all of them; before and after it the same of bench/naive.py, on as many
processes. Then what a tenant costs, for a batch of fifty and for a tenant alone, where nothing has changed and where each has
a new invoice. --profile writes a cProfile of it (which makes Python look several times slower).
"""

from __future__ import annotations

import argparse
import cProfile
import os
import re
import statistics
import subprocess
import sys
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import redis.connection
from sqlalchemy import Engine

from bench.latency import SALE
from bench.machine import load_note, product
from bench.naive import naive_rate
from shared.logs import configure_logging
from tests.servers import PROJECT, eventually
from tests.stack import Stack
from workers.database import autocommit
from workers.source import Source

_RATE = re.compile(r"([\d,]+) per second")


class Waits:
    """Seconds spent waiting for servers, however they are asked: what is left is Python's own."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.statements = 0
        self._count(psycopg.Cursor, "execute", None)
        self._count(psycopg.Connection, "wait", "PostgreSQL")
        for answer in ("send_packed_command", "read_response"):
            self._count(redis.connection.AbstractConnection, answer, "Redis")

    def _count(self, owner: type, name: str, server: str | None) -> None:
        call: Callable[..., Any] = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                if server:
                    self.seconds[server] += time.perf_counter() - started
                else:
                    self.statements += 1

        setattr(owner, name, counted)

    def clear(self) -> None:
        self.seconds.clear()
        self.statements = 0


def sell(engine: Engine, tenant_ids: Sequence[str]) -> None:
    """One more invoice of each."""
    number = uuid.uuid4().hex
    with autocommit(engine) as connection, connection.cursor() as cursor:
        cursor.executemany(SALE, [(number, tenant_id) for tenant_id in tenant_ids])


def through_workers(stack: Stack, runs: int) -> float:
    """`bin/dash recalculate --all`, as a person types it; returns the tenants a second of the best run."""
    best = 0.0
    for run in range(runs):
        done = subprocess.run(
            [sys.executable, "-m", "cli.dash", "recalculate", "--all"],
            cwd=PROJECT, env=stack.environment("dash"), capture_output=True, text=True, check=True,
        )  # fmt: skip
        print(f"  run {run + 1}: {done.stdout.strip()}")
        best = max(best, _rate(done.stdout))
    return best


def _rate(report: str) -> float:
    found = _RATE.search(report)
    assert found is not None, report
    return float(found[1].replace(",", ""))


def naively(stack: Stack, tenant_ids: Sequence[str]) -> float:
    """Tenants a second of a dashboard of a dozen ORM queries."""
    rate = naive_rate(stack.database_url, stack.environment("worker")["REDIS_URL"], tenant_ids)
    print(f"a dozen ORM queries for each tenant, on two processes: {rate:,.0f} tenants/s ({load_note()})")
    return rate


def in_one_process(
    tenant_ids: Sequence[str],
    batch: int,
    waits: Waits,
    profile: cProfile.Profile | None,
    before: Callable[[list[str]], None] = lambda _: None,
) -> None:
    """The task itself, without the way to a worker. `before`: what happens to a batch, which is not measured."""
    from workers.tasks import recalculate  # made from the environment when it is imported

    batches = [list(tenant_ids[start : start + batch]) for start in range(0, len(tenant_ids), batch)]
    for ids in batches:
        recalculate.apply(args=[ids], throw=True)
    took, processor_s = [], 0.0
    seconds: Counter[str] = Counter()
    statements = 0
    for ids in batches:
        before(ids)
        waits.clear()
        started, processor_started_s = time.perf_counter(), time.process_time()
        with profile or nullcontext():
            recalculate.apply(args=[ids], throw=True)
        took.append(time.perf_counter() - started)
        processor_s += time.process_time() - processor_started_s
        seconds.update(waits.seconds)
        statements += waits.statements
    each = {server: 1000 * waited_s / len(tenant_ids) for server, waited_s in seconds.items()}
    rate = len(tenant_ids) / sum(took)
    print(
        f"  {batch:>3} at once: {1000 * statistics.median(took):6.1f} ms, {rate:5.0f} tenants/s. A tenant:"
        f" {each['PostgreSQL']:.2f} ms waiting for PostgreSQL ({statements / len(batches):.0f} statements a batch),"
        f" {each['Redis']:.2f} ms for Redis, {1000 * processor_s / len(tenant_ids):.2f} ms of Python"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--profile", type=Path)
    options = parser.parse_args()
    profile = cProfile.Profile() if options.profile else None
    with product(tenants=options.tenants, documents=options.documents) as stack:
        tenant_ids = Source(stack.engine).tenant_ids()
        keys = [stack.keys.snapshot(tenant_id) for tenant_id in tenant_ids]
        eventually(lambda: stack.redis.exists(*keys), lambda count: count == len(keys), within_s=300)
        for name in ("worker", "sweeper"):
            stack.stop(name)
            stack.start(name)
        naive_before = naively(stack, tenant_ids)
        print(f"bin/dash recalculate --all on two processes that have just started ({load_note()}):")
        rate = through_workers(stack, options.runs)
        naive_after = naively(stack, tenant_ids)
        print(f"  the best run is × {2 * rate / (naive_before + naive_after):.1f} of the naive one")
        for name in list(stack.running):
            stack.stop(name)
        os.environ.update(stack.environment("worker"))
        configure_logging("ERROR")
        waits = Waits()
        for what, before in (
            ("nothing changed", lambda _: None),
            ("each with a new invoice", partial(sell, stack.engine)),
        ):
            print(f"in one process, {what} ({load_note()}):")
            in_one_process(tenant_ids, 50, waits, profile, before)
            in_one_process(tenant_ids[:200], 1, waits, profile, before)
    if profile and options.profile:
        profile.dump_stats(options.profile)


if __name__ == "__main__":
    main()
