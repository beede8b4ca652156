"""What a long history costs a tenant alone, by what its host tells: processor time of one with few and one with many old
invoices and payments, whose recent and open ones are the same, computed in turns.

    python -m bench.history [--few 1000] [--many 300000] [--rounds 15]

Prints the median milliseconds of both, of the worker and of its connections' server processes together, and the median of the
paired ratios: where nothing has changed, after a change of today and after a backdated one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, text

from bench.growth import TENANT, add_old_invoices
from bench.machine import load_note, product
from shared.logs import configure_logging
from tests.servers import eventually
from workers.database import autocommit

TWIN = "volume-twin"
COPIED = ("tenant", "client", "invoice", "payment", "allocation", "expense", "quote", "daily_close")
HOSTS = {
    "balance and unapplied are filled": "",
    "unapplied is not": "UPDATE dashboard.payment SET unapplied = NULL",
    "neither is": "UPDATE dashboard.invoice SET balance = NULL",
}
CHANGES = {
    "nothing has changed": "",
    "a change of today": """
        UPDATE dashboard.invoice SET total = total + 1 WHERE tenant_id = :tenant AND invoice_id = (
            SELECT max(invoice_id) FROM dashboard.invoice
            WHERE tenant_id = :tenant AND issue_date > current_date - 75 AND invoice_id LIKE 'I%')""",
    "a backdated payment": """
        INSERT INTO dashboard.payment (tenant_id, payment_id, client_id, status, paid_on, currency, amount, unapplied)
        SELECT CAST(:tenant AS text), 'late-' || count(*), 'C1', 'succeeded', current_date - 200, 'USD', 10,
               CASE WHEN bool_or(unapplied IS NOT NULL) THEN 10 END
        FROM dashboard.payment WHERE tenant_id = :tenant""",
}

_COLUMNS = text("""
    SELECT attname FROM pg_attribute
    WHERE attrelid = to_regclass(:table) AND attnum > 0 AND attname <> 'tenant_id' AND NOT attisdropped
""")
# What names no documents is written down again only after a while.
_LATER = "UPDATE dashboard.unsettled_book SET made_at = made_at - interval '1 minute'"


def copy(engine: Engine) -> None:
    """A tenant with the same rows."""
    with engine.begin() as connection:
        for table in COPIED:
            found = connection.execute(_COLUMNS, {"table": f"dashboard.{table}"})
            listed = ", ".join(found.scalars())
            copied = (
                f"INSERT INTO dashboard.{table} (tenant_id, {listed}) SELECT :twin, {listed} FROM dashboard.{table}"  # noqa: S608
            )
            connection.execute(text(copied), {"twin": TWIN})


def tell(engine: Engine, statement: str) -> None:
    """Have the host tell less, and let a while pass."""
    with autocommit(engine) as connection:
        for one in ("SET statement_timeout = 0", statement, "VACUUM ANALYZE", _LATER):
            connection.execute(one.encode())


def processor_ms(engine: Engine) -> float:
    """Milliseconds of this process and of the server processes that it is connected with, so far."""
    with engine.connect() as connection:
        pids = connection.execute(
            text("SELECT pid FROM pg_stat_activity WHERE application_name = 'daybook' AND pid <> pg_backend_pid()")
        )
        server_ns = sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids.scalars())
    return 1000 * time.process_time() + server_ns / 1e6


def in_turns(
    engine: Engine, change: str, rounds: int, compute: Callable[[str], object]
) -> tuple[dict[str, float], float]:
    """Median milliseconds of each tenant, and the median ratio of the second to the first."""
    took: dict[str, list[float]] = {TENANT: [], TWIN: []}
    for _ in range(rounds):
        for tenant_id, times in took.items():
            if change:
                with engine.begin() as connection:
                    connection.execute(text(change), {"tenant": tenant_id})
            before = processor_ms(engine)
            compute(tenant_id)
            times.append(processor_ms(engine) - before)
    ratios = [many / few for few, many in zip(took[TENANT], took[TWIN], strict=True)]
    return {tenant_id: statistics.median(times) for tenant_id, times in took.items()}, statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with product(tenants=1, documents=500) as stack:
        eventually(lambda: stack.redis.exists(stack.keys.snapshot(TENANT)), within_s=60)
        for name in list(stack.running):
            stack.stop(name)
        copy(stack.engine)
        add_old_invoices(stack.engine, 1, options.few)
        add_old_invoices(stack.engine, 1, options.many, tenant_id=TWIN)
        os.environ.update(stack.environment("worker"))
        configure_logging("ERROR")
        from workers.tasks import recalculate  # made from the environment when it is imported

        def compute(tenant_id: str) -> None:
            recalculate.apply(args=[[tenant_id]], throw=True)

        print(f"{options.few} and {options.many} old invoices and payments ({load_note()}):")
        for host, statement in HOSTS.items():
            if statement:
                tell(stack.engine, statement)
            # The first ones bring what is kept up to date.
            for tenant_id in (TENANT, TWIN) * 4:
                compute(tenant_id)
            for name, change in CHANGES.items():
                medians, ratio = in_turns(stack.engine, change, options.rounds, compute)
                print(f"  {host}, {name}: {medians[TENANT]:.1f} and {medians[TWIN]:.1f} ms, x {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
