"""How long the documents behind a number take, with a thousand open invoices: asked for first, and asked again.

    python -m bench.receipts [--times 100]

First: a worker makes them, for each question and version once. Again: from Redis. Each figure is of one client that asks one
question after the other.
"""

from __future__ import annotations

import argparse
import statistics
import time

from bench.machine import load_note, product
from tests.days import today
from tests.rows import Rows
from tests.servers import eventually
from tests.stack import Stack

TENANT = "volume-00001"
OPEN = 1000
PATH = "/api/dashboard/receipts/{}/"
NUMBERS = {
    "outstanding": "", "overdue-invoices": "", "customer-credit": "", "forecast": "", "daily-revenue": "",
    "pending-invoices": "?changes=true", "revenue": "?period=month_to_date", "profit": "?period=last_12_months",
}  # fmt: skip


def measured(stack: Stack, number: str, query: str, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds of answers that were made, and of those that were there."""
    made: list[float] = []
    kept: list[float] = []
    for _ in range(times):
        for name in stack.redis.scan_iter(f"{stack.keys.prefix}:receipt:*"):
            stack.redis.delete(name)
        for found in (made, kept):
            started = time.perf_counter()
            answer = stack.get(TENANT, PATH.format(number) + query)
            found.append((time.perf_counter() - started) * 1000)
            assert answer.status_code == 200, answer.text
    return made, kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100)
    options = parser.parse_args()
    with product(tenants=1, documents=500) as stack:
        rows = Rows(stack.db, TENANT, "USD")
        with stack.db.transaction(), stack.db.pipeline():
            for count in range(OPEN):
                rows.invoice(today(), 100 + count, balance=50 + count, invoice_id=f"open-{count}")
        eventually(lambda: stack.get(TENANT, PATH.format("outstanding")).ok, within_s=30)
        print(f"{OPEN:,} open invoices, {options.times} times each ({load_note()}):")
        for number, query in NUMBERS.items():
            for what, found in zip(("made", "kept"), measured(stack, number, query, options.times), strict=True):
                shares = statistics.quantiles(found, n=100)
                print(f"  {number + query:<32} {what}: p50 {shares[49]:6.1f} ms   p99 {shares[98]:6.1f} ms")


if __name__ == "__main__":
    main()
