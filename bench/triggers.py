"""What change capture costs a writer: the same loads with and without the triggers, in turn, on one server.

    python -m bench.triggers [--rows 1000000] [--pairs 3]

Prints, for each kind of load, the median of the pairwise ratios (with ÷ without).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from cli.local.embedded import Postgres, free_port
from workers.database import make_engine
from workers.migrate import migrate

BULK = """
    INSERT INTO dashboard.invoice
        (tenant_id, invoice_id, client_id, status, issue_date, due_date, currency, total, tax, balance)
    SELECT 't' || n % 100, n::text, 'c' || n % 997, 'posted', date '2026-01-01' + n % 300, date '2026-02-01' + n % 300,
           'USD', n % 5000, 0, 0
    FROM generate_series(1, {rows}) AS n
"""
ONE = """
    INSERT INTO dashboard.payment (tenant_id, payment_id, status, paid_on, currency, amount)
    VALUES (%s, %s, 'succeeded', '2026-03-10', 'USD', 10)
"""
EXPENSES = """
    INSERT INTO dashboard.expense (tenant_id, expense_id, status, expense_date, currency, total, tax)
    SELECT 't' || n % 100, n::text, 'posted', date '2026-01-01' + n % 300, 'USD', n % 5000, 0
    FROM generate_series(1, {rows}) AS n
"""


def bulk_insert(db: psycopg.Connection, rows: int) -> None:
    db.execute(BULK.format(rows=rows).encode())


def copy_rows(db: psycopg.Connection, rows: int) -> None:
    with (
        db.cursor() as cursor,
        cursor.copy(
            "COPY dashboard.payment (tenant_id, payment_id, status, paid_on, currency, amount) FROM STDIN"
        ) as copy,
    ):
        for n in range(rows):
            copy.write(f"t{n % 100}\t{n}\tsucceeded\t2026-03-10\tUSD\t10\n")


def single_rows(db: psycopg.Connection, rows: int) -> None:
    for n in range(rows // 200):
        db.execute(ONE, [f"t{n % 100}", str(n)])


def bulk_update(db: psycopg.Connection, rows: int) -> None:
    db.execute("UPDATE dashboard.expense SET total = total + 1 WHERE expense_id::integer <= %s", [rows // 5])


def timed(
    db: psycopg.Connection, load: Callable[[psycopg.Connection, int], None], rows: int, *, tracked: bool
) -> float:
    """Seconds of one load into empty tables (updates: of expenses), committed as the host would."""
    for table in ("invoice", "payment", "expense"):
        if table != "expense":
            db.execute(f"TRUNCATE dashboard.{table}".encode())
        call = (
            f"track_changes('dashboard.{table}', 'tenant_id')" if tracked else f"untrack_changes('dashboard.{table}')"
        )
        db.execute(f"SELECT dashboard.{call}".encode())
    db.execute("TRUNCATE dashboard.change")
    db.execute("CHECKPOINT")
    started = time.perf_counter()
    load(db, rows)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="daybook-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        server = Postgres(
            data_dir=Path(folder) / "postgres",
            port=free_port(),
            options=("shared_buffers=1GB", "max_wal_size=8GB", "autovacuum=off"),
        )
        server.start()
        try:
            engine = make_engine(server.url())
            migrate(engine)
            engine.dispose()
            with psycopg.connect(server.url(), autocommit=True) as db:
                db.execute(EXPENSES.format(rows=options.rows // 5).encode())
                for load in (bulk_insert, copy_rows, single_rows, bulk_update):
                    report(db, load, options.rows, options.pairs)
        finally:
            server.stop()


def report(db: psycopg.Connection, load: Callable[[psycopg.Connection, int], None], rows: int, pairs: int) -> None:
    timed(db, load, rows // 10, tracked=True)
    seconds = []
    for number in range(pairs):
        order = (True, False) if number % 2 else (False, True)
        seconds.append({tracked: timed(db, load, rows, tracked=tracked) for tracked in order})
    ratios = [pair[True] / pair[False] for pair in seconds]
    plain = statistics.median(pair[False] for pair in seconds)
    print(
        f"{load.__name__}: {plain:.2f} s without, × {statistics.median(ratios):.3f} with triggers "
        f"(pairs: {', '.join(f'{ratio:.3f}' for ratio in ratios)})"
    )


if __name__ == "__main__":
    main()
