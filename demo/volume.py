"""Many tenants quickly, for measuring: the server makes the rows itself, the same for the same seed and day."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from psycopg import sql
from sqlalchemy import Engine

from demo.load import Progress, add_rates, raw_connection
from demo.rates import daily_rates

TENANT_PREFIX = "volume-"
HISTORY_DAYS = 730
ZONES = ["America/New_York", "Europe/Berlin", "Asia/Tokyo", "America/Los_Angeles", "Europe/London", "Asia/Kolkata"]

# Of a hundred documents so many are of this kind; the rest are quotes. An invoice without a payment is open.
INVOICES, PAYMENTS, EXPENSES = 40, 34, 20

# One row per document, with a number `h` that is as good as chance and the same next time. The rows of different tenants
# lie mixed on disk, as they would come in. A paid invoice is of any age, an open one of the last 75 days; every tenth is
# in euros.
DOCUMENTS = """
WITH document AS (
    SELECT %(prefix)s || lpad(t::text, greatest(5, length(t::text)), '0') AS tenant_id, n,
        abs(hashint8extended(t * 1000003::bigint + n, %(seed)s)) AS h
    FROM generate_series(1, %(count)s) AS n CROSS JOIN generate_series(1, %(tenants)s) AS t
),
invoice AS (
    SELECT tenant_id, n, 'I' || n AS invoice_id, 'C' || h %% 25 AS client_id,
        %(today)s - (h / 25 %% CASE WHEN n <= %(paid)s THEN %(history)s ELSE 75 END)::integer AS issue_date,
        (14 + h / 7 %% 3 * 8)::integer AS terms_days, (50 + h / 11 %% 200000 / 100.0)::numeric(20, 2) AS net,
        CASE h / 13 %% 10 WHEN 0 THEN 'EUR' ELSE 'USD' END AS currency
    FROM document
)
"""

STATEMENTS: Mapping[str, str] = {
    "tenant": """
INSERT INTO dashboard.tenant (tenant_id, name, timezone, base_currency, basis)
SELECT %(prefix)s || lpad(t::text, greatest(5, length(t::text)), '0'), 'Tenant ' || t,
       (%(zones)s::text[])[1 + t %% cardinality(%(zones)s::text[])],
    'USD', CASE t %% 4 WHEN 0 THEN 'cash' ELSE 'accrual' END
FROM generate_series(1, %(tenants)s) AS t""",
    "client": """
INSERT INTO dashboard.client (tenant_id, client_id, name)
SELECT tenant_id, 'C' || n - 1, 'Client ' || n FROM document""",
    "invoice": """
INSERT INTO dashboard.invoice
    (tenant_id, invoice_id, client_id, status, issue_date, due_date, currency, total, tax, balance)
SELECT tenant_id, invoice_id, client_id, 'posted', issue_date, issue_date + terms_days, currency,
    net + round(net / 10, 2), round(net / 10, 2), CASE WHEN n <= %(paid)s THEN 0 ELSE net + round(net / 10, 2) END
FROM invoice""",
    "payment": """
INSERT INTO dashboard.payment (tenant_id, payment_id, client_id, status, paid_on, currency, amount, unapplied)
SELECT tenant_id, 'P' || n, client_id, 'succeeded', least(issue_date + terms_days, %(today)s), currency,
    net + round(net / 10, 2), 0
FROM invoice""",
    "allocation": """
INSERT INTO dashboard.allocation (tenant_id, allocation_id, source_kind, source_id, invoice_id, amount)
SELECT tenant_id, 'A' || n, 'payment', 'P' || n, invoice_id, net + round(net / 10, 2) FROM invoice""",
    "expense": """
INSERT INTO dashboard.expense (tenant_id, expense_id, category, status, expense_date, due_date, paid_on, currency, total, tax)
SELECT tenant_id, 'E' || n, 'Category ' || h %% 8, 'posted', day, day + 14,
    CASE WHEN day + 14 <= %(today)s THEN day + 14 END, 'USD', net, round(net / 10, 2)
FROM (SELECT *, %(today)s - (h / 17 %% %(history)s)::integer AS day, (20 + h / 19 %% 90000 / 100.0)::numeric(20, 2) AS net
    FROM document) AS made""",
    "quote": """
INSERT INTO dashboard.quote (tenant_id, quote_id, client_id, status, issue_date, expiry_date, decided_on, currency, total)
SELECT tenant_id, 'Q' || n, 'C' || h %% 25, status, day, day + 30,
    CASE WHEN status <> 'sent' THEN least(day + 9, %(today)s) END, 'USD', 500 + h / 23 %% 5000
FROM (SELECT *, %(today)s - (h / 29 %% 365)::integer AS day,
    (ARRAY['accepted', 'converted', 'declined', 'sent'])[1 + h / 31 %% 4] AS status FROM document) AS made""",
}
DELETE = sql.SQL("DELETE FROM dashboard.{} WHERE starts_with(tenant_id, %(prefix)s)")
ANALYZE = sql.SQL("ANALYZE dashboard.{}")
CLIENTS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSummary:
    """Rows by table, and how long loading took."""

    rows: Mapping[str, int]
    duration_s: float


def load_volume(
    engine: Engine,
    *,
    tenants: int = 1000,
    documents: int = 500,
    seed: int = 1,
    today: date | None = None,
    progress: Progress | None = None,
) -> VolumeSummary:
    """Replace the tenants `volume-00001` … by so many, with so many invoices, payments, expenses and quotes each."""
    started = time.monotonic()
    today = today or datetime.now(UTC).date()
    paid, expenses, invoices = (documents * share // 100 for share in (PAYMENTS, EXPENSES, INVOICES))
    counts = {
        "client": CLIENTS,
        "invoice": invoices,
        "payment": paid,
        "allocation": paid,
        "expense": expenses,
        "quote": documents - invoices - paid - expenses,
    }
    rows = {"tenant": tenants} | {table: tenants * count for table, count in counts.items()}
    values = {
        "prefix": TENANT_PREFIX,
        "seed": seed,
        "tenants": tenants,
        "today": today,
        "history": HISTORY_DAYS,
        "paid": paid,
        "zones": ZONES,
    }
    with engine.begin() as connection:
        raw = raw_connection(connection)
        raw.execute("SET LOCAL statement_timeout = 0")
        done = 0
        for table, statement in STATEMENTS.items():
            if progress:
                progress(table, done, sum(rows.values()))
            raw.execute(DELETE.format(sql.Identifier(table)), values)
            raw.execute(DOCUMENTS + statement, values | {"count": counts.get(table, 0)})
            done += rows[table]
        add_rates(raw, daily_rates([("EUR", "USD")], today - timedelta(HISTORY_DAYS + 7), today))
        for table in (*STATEMENTS, "fx_rate"):
            raw.execute(ANALYZE.format(sql.Identifier(table)))
        if progress:
            progress("tenant", done, done)
    return VolumeSummary(rows=rows, duration_s=time.monotonic() - started)
