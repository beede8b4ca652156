"""A host product that never rests: random committed rows of several tenants, whatever becomes of the database."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import psycopg

from tests.rows import Rows

PAUSE_S = 0.04
_KEYS = {"invoice": "invoice_id", "payment": "payment_id", "expense": "expense_id"}


@dataclass
class Writer:
    """A context manager: writes from entry to exit. `committed` counts what it may rely on."""

    database_url: str
    tenant_ids: Sequence[str]
    seed: int
    committed: int = 0
    refused: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._random = random.Random(self.seed)
        self._rows = {tenant_id: Rows(None, tenant_id) for tenant_id in self.tenant_ids}  # type: ignore[arg-type]
        self._number = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(psycopg.connect(self.database_url, autocommit=True, connect_timeout=2)) as db:
                    while not self._stopping.wait(PAUSE_S):
                        self._write(db)
                        self.committed += 1
            except psycopg.OperationalError:
                self.refused += 1
                self._stopping.wait(0.1)

    def _write(self, db: psycopg.Connection[Any]) -> None:
        rows = self._rows[self._random.choice(self.tenant_ids)]
        rows.db = db
        self._number += 1
        day = datetime.now(UTC).date() - timedelta(days=self._random.randrange(50))
        amount, name = self._random.randrange(1, 5000), f"r{self._number}"
        kind = self._random.choice(("invoice", "invoice", "payment", "expense", "change", "delete", "busy"))
        if kind == "invoice":
            rows.invoice(day, amount, tax=amount // 10, invoice_id=name)
        elif kind == "payment":
            rows.payment(day, amount, payment_id=name)
        elif kind == "expense":
            rows.expense(day, amount, expense_id=name, paid_on=self._random.choice((None, day)))
        elif kind == "busy":
            with db.transaction():
                for part in range(20):
                    rows.invoice(day, amount, invoice_id=f"{name}-{part}", currency="USD")
        else:
            self._alter(db, rows.tenant_id, amount, delete=kind == "delete")

    def _alter(self, db: psycopg.Connection[Any], tenant_id: str, amount: int, *, delete: bool) -> None:
        table = self._random.choice(("invoice", "expense"))
        key = _KEYS[table]
        one = f"{key} = (SELECT {key} FROM dashboard.{table} WHERE tenant_id = %(t)s ORDER BY random() LIMIT 1)"
        what = f"DELETE FROM dashboard.{table}" if delete else f"UPDATE dashboard.{table} SET total = %(amount)s"
        db.execute(f"{what} WHERE tenant_id = %(t)s AND {one}", {"t": tenant_id, "amount": amount})
