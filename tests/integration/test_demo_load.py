"""The demo tenants in a real database: complete, consistent, and the same when loaded again."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import Engine

from demo.load import DemoSummary, load_demo
from tests.patience import PATIENCE

TODAY = date(2026, 3, 9)

BALANCES = """
SELECT i.tenant_id, i.invoice_id, i.balance, greatest(0, i.total - coalesce(sum(
    CASE WHEN a.source_kind = 'refund' THEN -a.amount ELSE a.amount END) FILTER (WHERE
        EXISTS (SELECT FROM dashboard.payment p WHERE (p.tenant_id, p.payment_id, p.kind)
            = (a.tenant_id, a.source_id, a.source_kind) AND p.status = 'succeeded' AND p.paid_on <= %(today)s)
        OR EXISTS (SELECT FROM dashboard.invoice n WHERE (n.tenant_id, n.invoice_id, n.kind)
            = (a.tenant_id, a.source_id, a.source_kind) AND n.status = 'posted')), 0)) AS computed
FROM dashboard.invoice i LEFT JOIN dashboard.allocation a USING (tenant_id, invoice_id)
WHERE i.kind = 'invoice' AND i.status = 'posted' AND i.written_off_on IS NULL
GROUP BY i.tenant_id, i.invoice_id
"""

NEWEST = """
SELECT tenant_id, max(day) FROM (
    SELECT tenant_id, issue_date AS day FROM dashboard.invoice
    UNION ALL SELECT tenant_id, paid_on FROM dashboard.payment
    UNION ALL SELECT tenant_id, expense_date FROM dashboard.expense
    UNION ALL SELECT tenant_id, coalesce(decided_on, issue_date) FROM dashboard.quote
) AS happened WHERE day <= %(latest)s GROUP BY tenant_id
"""

FEATURES = {
    "a credit note that lowers an invoice": "allocation WHERE source_kind = 'credit_note'",
    "a refund that reopens an invoice": "allocation WHERE source_kind = 'refund'",
    "a refund of a surplus": "payment p WHERE kind = 'refund' AND NOT EXISTS "
    "(SELECT FROM dashboard.allocation a WHERE (a.tenant_id, a.source_id) = (p.tenant_id, p.payment_id))",
    "a partly paid invoice": "invoice WHERE balance > 0 AND balance < total",
    "an overdue invoice": "invoice WHERE balance > 0 AND due_date < %(today)s",
    "an invoice due later": "invoice WHERE balance > 0 AND due_date > %(today)s",
    "an invoice of today": "invoice WHERE status = 'posted' AND issue_date = %(today)s",
    "a payment of today": "payment WHERE status = 'succeeded' AND paid_on = %(today)s",
    "an expense of today": "expense WHERE status = 'posted' AND expense_date = %(today)s",
    "a write-off": "invoice WHERE written_off_on IS NOT NULL",
    "a draft": "invoice WHERE status = 'draft'",
    "a void": "invoice WHERE status = 'void'",
    "a failed payment": "payment WHERE status = 'failed'",
    "a payment under way": "payment WHERE status = 'pending'",
    "a foreign invoice with its own rate": "invoice WHERE base_rate IS NOT NULL",
    "a bill to be paid": "expense WHERE status = 'posted' AND paid_on IS NULL AND due_date > %(today)s",
    "a supplier's credit": "expense WHERE total < 0",
    "an expense from a contract": "expense WHERE recurring_id IS NOT NULL",
    "a retainer": "recurring WHERE kind = 'invoice' AND active AND next_on > %(today)s",
    "a contract": "recurring WHERE kind = 'expense' AND active AND next_on > %(today)s",
    "an open quote": "quote WHERE status = 'sent' AND expiry_date >= %(today)s",
    "a quote that ran out": "quote WHERE status = 'sent' AND expiry_date < %(today)s",
    "an accepted quote": "quote WHERE status = 'accepted'",
    "a declined quote": "quote WHERE status = 'declined'",
    "a quote that became an invoice": "quote q JOIN dashboard.invoice i USING (tenant_id, invoice_id) "
    "WHERE q.status = 'converted'",
}


@pytest.fixture
def summary(engine: Engine) -> DemoSummary:
    return load_demo(engine, today=TODAY)


@pytest.mark.usefixtures("summary")
def test_newest_business_day_of_every_tenant_is_today(db: psycopg.Connection) -> None:
    newest: dict[str, date] = dict(db.execute(NEWEST, {"latest": date(2026, 3, 10)}).fetchall())
    assert set(newest.values()) == {TODAY}
    assert set(newest) == {"demo", "tokyo", "kuwait", "tonga", "berlin", "xero-demo", "quickbooks-demo"}


def test_today_is_the_tenants_own_day(engine: Engine, db: psycopg.Connection) -> None:
    before = datetime.now(UTC)
    load_demo(engine)
    after = datetime.now(UTC)
    newest = db.execute(
        "SELECT timezone, greatest((SELECT max(paid_on) FROM dashboard.payment p WHERE p.tenant_id = t.tenant_id), "
        "(SELECT max(expense_date) FROM dashboard.expense e WHERE e.tenant_id = t.tenant_id)) "
        "FROM dashboard.tenant t WHERE tenant_id <> 'empty'"
    ).fetchall()
    assert len(newest) == 7
    for zone, day in newest:
        assert day in {moment.astimezone(ZoneInfo(zone)).date() for moment in (before, after)}, zone


@pytest.mark.usefixtures("summary")
def test_balances_agree_with_allocations(db: psycopg.Connection) -> None:
    rows = db.execute(BALANCES, {"today": TODAY}).fetchall()
    different = [row for row in rows if row[2] != row[3]]
    assert len(rows) > 700
    # The one invoice of the QuickBooks extract whose earlier payments the extract does not hold.
    assert [(tenant, invoice) for tenant, invoice, *_ in different] == [("quickbooks-demo", "invoice-40113")]


@pytest.mark.usefixtures("summary")
@pytest.mark.parametrize("feature", FEATURES)
def test_demo_tenant_has(feature: str, db: psycopg.Connection) -> None:
    source, _, condition = FEATURES[feature].partition(" WHERE ")
    alias = "q" if " JOIN " in source else source.split()[-1]
    query = f"SELECT count(*) FROM dashboard.{source} WHERE {alias}.tenant_id = 'demo' AND {condition}"
    assert db.execute(query, {"today": TODAY}).fetchone() != (0,)


@pytest.mark.usefixtures("summary")
def test_one_currency_of_one_tenant_has_no_rate(db: psycopg.Connection) -> None:
    unquoted = db.execute(
        "SELECT DISTINCT i.tenant_id, i.currency FROM dashboard.invoice i JOIN dashboard.tenant t USING (tenant_id) "
        "WHERE i.currency <> t.base_currency AND i.base_rate IS NULL AND NOT EXISTS (SELECT FROM dashboard.fx_rate r "
        "WHERE r.tenant_id IN ('*', i.tenant_id) AND (r.currency, r.base_currency) = (i.currency, t.base_currency))"
    ).fetchall()
    assert unquoted == [("berlin", "CHF")]


@pytest.mark.usefixtures("summary")
def test_rates_reach_every_document_that_needs_one(db: psycopg.Connection) -> None:
    missing = db.execute(
        "SELECT i.tenant_id, i.currency, i.issue_date FROM dashboard.invoice i JOIN dashboard.tenant t USING (tenant_id) "
        "WHERE i.currency <> t.base_currency AND i.base_rate IS NULL AND i.currency <> 'CHF' AND NOT EXISTS ("
        "SELECT FROM dashboard.fx_rate r WHERE (r.currency, r.base_currency) = (i.currency, t.base_currency) "
        "AND r.rate_date BETWEEN i.issue_date - 7 AND i.issue_date)"
    ).fetchall()
    assert missing == []


def test_loading_again_replaces_the_demo_and_nothing_else(engine: Engine, db: psycopg.Connection) -> None:
    tables = ("tenant", "client", "invoice", "payment", "allocation", "expense", "quote", "recurring", "fx_rate")

    def content() -> dict[str, object]:
        digest = (
            "SELECT count(*), md5(string_agg((to_jsonb(r) - 'updated_at')::text, '' ORDER BY r::text COLLATE \"C\"))"
        )
        return {
            name: db.execute(
                f"{digest} FROM (SELECT (to_jsonb(t) - 'updated_at') AS r FROM dashboard.{name} t) x"
            ).fetchone()
            for name in tables
        }

    db.execute("INSERT INTO dashboard.tenant (tenant_id, base_currency) VALUES ('host', 'USD')")
    db.execute("INSERT INTO dashboard.fx_rate VALUES ('*', 'EUR', 'USD', %s, 7)", [TODAY])
    load_demo(engine, today=date(2026, 3, 2))
    load_demo(engine, today=TODAY)
    first = content()
    load_demo(engine, today=TODAY)
    assert content() == first
    assert db.execute("SELECT count(*) FROM dashboard.tenant WHERE tenant_id = 'host'").fetchone() == (1,)
    rate = db.execute(
        "SELECT rate FROM dashboard.fx_rate WHERE currency = 'EUR' AND rate_date = %s", [TODAY]
    ).fetchone()
    assert rate == (7,)


def test_progress_ends_at_the_number_of_rows(engine: Engine) -> None:
    seen: list[tuple[str, int, int]] = []
    summary = load_demo(engine, today=TODAY, progress=lambda step, done, total: seen.append((step, done, total)))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert seen[-1][1] == seen[-1][2] == sum(summary.rows.values())
    assert summary.duration_s < 10 * PATIENCE
