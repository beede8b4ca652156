"""How Daybook's figures grow: with sockets, with connections, and with the old invoices of one tenant."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, text

from bench.machine import percentile, product
from bench.peers.__main__ import push, weigh
from bench.peers.contestants import PATH, Daybook, daybook
from bench.requests import wrk
from bench.sockets import TENANTS
from cli.local.embedded import Valkey, free_port
from shared.logs import configure_logging
from tests.servers import eventually
from tests.tokens import bearer

Row = dict[str, float]
TENANT = "volume-00001"
# Paid more than a year ago and not touched since, as most of a long history is.
OLD_INVOICES = text("""
    INSERT INTO dashboard.invoice
        (tenant_id, invoice_id, client_id, status, issue_date, due_date, currency, total, tax, balance, updated_at)
    SELECT :tenant, 'old-' || n, 'C' || n % 25, 'posted', day, day + 30, 'USD', 110 + n % 900, 10, 0, day + 30
    FROM (SELECT n, cast(:today AS date) - 400 - n % 1500 AS day
        FROM generate_series(cast(:first AS integer), :last) AS n) AS made
""")
OLD_PAYMENTS = text("""
    INSERT INTO dashboard.payment (tenant_id, payment_id, client_id, status, paid_on, currency, amount, unapplied, updated_at)
    SELECT tenant_id, invoice_id, client_id, 'succeeded', due_date, currency, total, 0, due_date
    FROM dashboard.invoice WHERE tenant_id = :tenant AND invoice_id LIKE 'old-%' ON CONFLICT DO NOTHING
""")
OLD_ALLOCATIONS = text("""
    INSERT INTO dashboard.allocation (tenant_id, allocation_id, source_kind, source_id, invoice_id, amount)
    SELECT tenant_id, invoice_id, 'payment', invoice_id, invoice_id, total
    FROM dashboard.invoice WHERE tenant_id = :tenant AND invoice_id LIKE 'old-%' ON CONFLICT DO NOTHING
""")


@contextmanager
def serving() -> Iterator[Daybook]:
    """One web process with a Valkey of its own, and snapshots of 4 kB."""
    with tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
        valkey = Valkey(data_dir=Path(folder) / "valkey", port=free_port())
        valkey.start()
        try:
            with daybook(valkey.url()) as server:
                for tenant_id in TENANTS:
                    server.publish(tenant_id, 0)
                yield server
        finally:
            valkey.stop()


def over_sockets(counts: Sequence[int], changes: int) -> Iterator[Row]:
    """Push latency and memory, a fresh process for each count: what one has freed, the next sockets would take again."""
    for count in counts:
        with serving() as server:
            held = asyncio.run(weigh(server, count))
            took = asyncio.run(push(server, count, changes))
        yield {"x": count, "kb": held, "p50_ms": percentile(took, 0.5), "p99_ms": percentile(took, 0.99)}


def over_connections(counts: Sequence[int], seconds: int) -> Iterator[Row]:
    """Snapshots a second over REST."""
    with serving() as server:
        for count in counts:
            found = wrk(server.url + PATH, bearer(TENANTS[0]), count, seconds)
            yield {"x": count, "rate": found["rate"], "p50_ms": found["p50"], "p99_ms": found["p99"]}


def add_old_invoices(engine: Engine, first: int, last: int, tenant_id: str = TENANT) -> None:
    """Old invoices, each with the payment that settled it."""
    values = {"tenant": tenant_id, "today": datetime.now(UTC).date(), "first": first, "last": last}
    with engine.begin() as connection:
        connection.execute(OLD_INVOICES, values)
        connection.execute(OLD_PAYMENTS, {"tenant": tenant_id})
        connection.execute(OLD_ALLOCATIONS, {"tenant": tenant_id})
        for table in ("invoice", "payment", "allocation"):
            connection.execute(text(f"ANALYZE dashboard.{table}"))


def over_history(counts: Sequence[int], runs: int) -> Iterator[Row]:
    """Milliseconds to compute a tenant with 500 documents of two years and so many old invoices, alone, by one process."""
    with product(tenants=1, documents=500) as stack:
        eventually(lambda: stack.redis.exists(stack.keys.snapshot(TENANT)), within_s=60)
        for name in list(stack.running):
            stack.stop(name)
        os.environ.update(stack.environment("worker"))
        configure_logging("ERROR")
        from workers.tasks import recalculate  # made from the environment when it is imported

        before = 0
        for count in counts:
            add_old_invoices(stack.engine, before + 1, count)
            before, took = count, []
            for _ in range(runs + 3):
                started = time.perf_counter()
                recalculate.apply(args=[[TENANT]], throw=True)
                took.append(1000 * (time.perf_counter() - started))
            # The first ones bring the kept totals up to date.
            yield {"x": count, "ms": statistics.median(took[3:])}
