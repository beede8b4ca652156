"""Many tenants made by the server: as many as asked for, the same every time, and consistent."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest
from sqlalchemy import Engine

from demo.volume import load_volume

TODAY = date(2026, 3, 9)


def test_every_tenant_gets_its_documents(engine: Engine, db: psycopg.Connection) -> None:
    load_volume(engine, tenants=7, documents=100, today=TODAY)
    documents = db.execute(
        "SELECT tenant_id, count(*) FROM (SELECT tenant_id FROM dashboard.invoice UNION ALL SELECT tenant_id FROM "
        "dashboard.payment UNION ALL SELECT tenant_id FROM dashboard.expense UNION ALL SELECT tenant_id FROM "
        "dashboard.quote) AS d GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert documents == [(f"volume-0000{n}", 100) for n in range(1, 8)]


def test_balances_agree_and_nothing_happens_in_the_future(engine: Engine, db: psycopg.Connection) -> None:
    load_volume(engine, tenants=7, documents=100, today=TODAY)
    wrong = db.execute(
        "SELECT i.invoice_id FROM dashboard.invoice i LEFT JOIN dashboard.allocation a USING (tenant_id, invoice_id) "
        "LEFT JOIN dashboard.payment p ON (p.tenant_id, p.payment_id) = (a.tenant_id, a.source_id) "
        "WHERE i.balance <> i.total - coalesce(a.amount, 0) OR p.paid_on NOT BETWEEN i.issue_date AND %(today)s "
        "OR i.issue_date > %(today)s OR p.currency <> i.currency OR p.client_id <> i.client_id",
        {"today": TODAY},
    ).fetchall()
    assert wrong == []
    open_ = db.execute("SELECT count(*) FROM dashboard.invoice WHERE balance > 0 AND due_date < %s", [TODAY]).fetchone()
    assert open_ != (0,)


@pytest.mark.parametrize(("seed", "same"), [(1, True), (2, False)])
def test_the_seed_decides_the_rows(seed: int, same: bool, engine: Engine, db: psycopg.Connection) -> None:
    def content() -> object:
        return db.execute("SELECT sum(total), min(issue_date), count(*) FROM dashboard.invoice").fetchone()

    load_volume(engine, tenants=3, documents=50, today=TODAY)
    first = content()
    load_volume(engine, tenants=3, documents=50, seed=seed, today=TODAY)
    assert (content() == first) is same


def test_other_tenants_are_left_alone(engine: Engine, db: psycopg.Connection) -> None:
    db.execute("INSERT INTO dashboard.tenant (tenant_id, base_currency) VALUES ('host', 'USD')")
    load_volume(engine, tenants=5, documents=20, today=TODAY)
    summary = load_volume(engine, tenants=2, documents=20, today=TODAY)
    assert db.execute("SELECT count(*) FROM dashboard.tenant").fetchone() == (3,)
    assert summary.rows["invoice"] == 16
