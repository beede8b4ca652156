"""Payments and refunds: cash by day paid, and on cash basis the revenue that they bring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from workers.facts import SettlementGroup
from workers.source.batch import statement

# How much money came in and went back on each of the trailing 60 days and today?
PAYMENTS = statement("""
    SELECT a.tenant_id, p.paid_on AS day, p.kind, money.currency, count(*) AS documents,
           sum(CASE p.kind WHEN 'refund' THEN -1 ELSE 1 END * coalesce(p.amount, 'NaN') * money.factor) AS amount
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT * FROM dashboard.payment
        WHERE tenant_id = a.tenant_id AND status = 'succeeded' AND paid_on BETWEEN a.today - 60 AND a.today
        OFFSET 0
    ) p
    {converted p}
    WHERE p.kind IN ('payment', 'refund')
    GROUP BY a.tenant_id, p.paid_on, p.kind, money.currency
""")

# On cash basis: what revenue did that money bring, without tax? Each allocation carries its invoice's share of tax, and
# takes its invoice's rate. Rounding to 36 places makes the division keep as many: its error stays below what kpi/money.py
# trims.
ALLOCATIONS = statement("""
    SELECT a.tenant_id, p.paid_on AS day, money.currency,
           CASE WHEN own.rate IS NULL THEN i.issue_date END AS rate_date,
           sum(CASE WHEN i.total = 0 THEN 0
                    ELSE CASE p.kind WHEN 'refund' THEN -1 ELSE 1 END * money.factor
                         * round(coalesce(l.amount, 'NaN') * (coalesce(i.total, 'NaN') - coalesce(i.tax, 0)), 36)
                         / i.total END) AS net
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT * FROM dashboard.payment
        WHERE tenant_id = a.tenant_id AND status = 'succeeded' AND paid_on BETWEEN a.today - 60 AND a.today
        OFFSET 0
    ) p
    CROSS JOIN LATERAL (
        SELECT * FROM dashboard.allocation
        WHERE tenant_id = p.tenant_id AND source_kind = p.kind AND source_id = p.payment_id
        OFFSET 0
    ) l
    CROSS JOIN LATERAL (
        SELECT * FROM dashboard.invoice
        WHERE tenant_id = l.tenant_id AND invoice_id = l.invoice_id AND status = 'posted' AND kind = 'invoice'
        OFFSET 0
    ) i
    {converted i}
    WHERE a.on_cash AND p.kind IN ('payment', 'refund')
    GROUP BY a.tenant_id, p.paid_on, money.currency, rate_date
""")

# On cash basis: how many of those payments can be converted? `needs` lists, as 'EUR 2026-03-10', the rates that a payment's
# allocations still need.
SETTLEMENTS = statement("""
    SELECT tenant_id, day, count(*) AS documents, needs
    FROM (
        SELECT a.tenant_id, p.paid_on AS day,
               coalesce(array_agg(DISTINCT money.currency || ' ' || to_char(i.issue_date, 'YYYY-MM-DD'))
                   FILTER (WHERE i.invoice_id IS NOT NULL AND own.rate IS NULL), '{}') AS needs
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.payment
            WHERE tenant_id = a.tenant_id AND status = 'succeeded' AND paid_on BETWEEN a.today - 60 AND a.today
            OFFSET 0
        ) p
        LEFT JOIN LATERAL (
            SELECT * FROM dashboard.allocation
            WHERE tenant_id = p.tenant_id AND source_kind = p.kind AND source_id = p.payment_id
            OFFSET 0
        ) l ON true
        LEFT JOIN LATERAL (
            SELECT * FROM dashboard.invoice
            WHERE tenant_id = l.tenant_id AND invoice_id = l.invoice_id AND status = 'posted' AND kind = 'invoice'
            OFFSET 0
        ) i ON true
        {converted i}
        WHERE a.on_cash AND p.kind IN ('payment', 'refund')
        GROUP BY a.tenant_id, p.paid_on, p.payment_id
    ) settled
    GROUP BY tenant_id, day, needs
""")


def settlement(*, day: date, documents: int, needs: Sequence[str]) -> SettlementGroup:
    """A row of SETTLEMENTS."""
    pairs = (need.rsplit(" ", 1) for need in needs)
    return SettlementGroup(
        day=day, documents=documents, needs=tuple((currency, date.fromisoformat(on)) for currency, on in pairs)
    )
