"""How many documents a second `bin/dash ingest` takes: new ones, the same again, and newer ones.

    python -m bench.ingest [--rows 100000]

Wall time counts; CPU seconds are this process's own, the server's come on top on another core.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from bench.machine import load_note
from cli.local.embedded import Postgres, free_port
from workers.database import make_engine
from workers.ingest import ingest
from workers.migrate import migrate

BEGIN = date(2026, 1, 1)


def lines(rows: int, updated_at: str) -> Iterator[bytes]:
    """Four invoices and a payment, and so on, of a hundred tenants."""
    for n in range(rows):
        day = BEGIN + timedelta(days=n % 300)
        common = {"tenant_id": f"t{n % 100}", "client_id": f"c{n % 997}", "currency": "EUR", "updated_at": updated_at}
        if n % 5:
            dates = {"issue_date": day.isoformat(), "due_date": (day + timedelta(days=30)).isoformat()}
            amounts = {"total": f"{n % 5000}.90", "tax": "19.00", "balance": "0.00", "base_rate": "1"}
            own = {
                "table": "invoice",
                "invoice_id": f"{n}",
                "reference": f"R-{n}",
                "status": "posted",
                **dates,
                **amounts,
            }
        else:
            own = {
                "table": "payment",
                "payment_id": f"{n}",
                "status": "succeeded",
                "paid_on": day.isoformat(),
                "amount": "10",
            }
        yield json.dumps({**own, **common}).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="daybook-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        server = Postgres(data_dir=Path(folder) / "postgres", port=free_port(), options=("shared_buffers=256MB",))
        server.start()
        engine = make_engine(server.url())
        try:
            migrate(engine)
            first, later = list(lines(rows, "2026-11-01T00:00:00Z")), list(lines(rows, "2026-11-02T00:00:00Z"))
            for name, given in (("new", first), ("the same again", first), ("newer", later)):
                began, cpu = time.perf_counter(), time.process_time()
                done = ingest(engine, given, refused=print)
                seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
                print(
                    f"{name}: {rows / seconds:,.0f} a second ({done.written:,} written), CPU {cpu:.1f} of {seconds:.1f} s"
                )
        finally:
            engine.dispose()
            server.stop()
    print(load_note())


if __name__ == "__main__":
    main()
