"""Payments and refunds as cash: by day paid, and since the host counted its accounts."""

from __future__ import annotations

from workers.facts import CashSinceGroup, PaymentGroup
from workers.source.batch import Family

# How much money came in and went back in the trailing 60 days and today? Read once, for whatever looks at it.
RECENT_PAYMENTS = """
    recent_payment AS MATERIALIZED (
        SELECT a.tenant_id, a.today, p.paid_on AS day, p.kind::text AS kind, {payer} AS client_id, money.no_rate,
               round(coalesce(p.amount, 'NaN') * CASE p.kind WHEN 'refund' THEN -money.factor ELSE money.factor END,
                     money.places) AS amount
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT tenant_id, payment_id, reference, client_id, kind, paid_on, currency, amount,
                   {flow payment on payment.paid_on} AS rate_to_base
            FROM dashboard.payment AS payment
            WHERE tenant_id = a.tenant_id AND status = 'succeeded' AND paid_on BETWEEN a.today - 60 AND a.today
                AND kind IN ('payment', 'refund')
            OFFSET 0
        ) p
        {money p}
    )
"""

# On each of these days.
PAYMENTS = Family(
    "payments",
    PaymentGroup,
    """
    SELECT tenant_id, day, kind, no_rate, count(*) AS documents, sum(amount) AS amount
    FROM recent_payment
    GROUP BY tenant_id, day, kind, no_rate
""",
)

# What moved between the day whose end the host knows its accounts of and today? The days after it up to yesterday; if it is
# today or later, the days from today to it.
CASH_SINCE = Family(
    "cash_since",
    CashSinceGroup,
    """
    SELECT a.tenant_id, money.no_rate, count(*) AS documents,
           sum(moved.sign * round(moved.amount * money.factor, money.places)) AS amount,
           CASE WHEN money.no_rate IS NOT NULL THEN min(moved.day) END AS since
    FROM (
        SELECT *, CASE WHEN cash_balance_on < today THEN cash_balance_on + 1 ELSE today END AS first,
               CASE WHEN cash_balance_on < today THEN today - 1 ELSE cash_balance_on END AS last
        FROM asked
        WHERE cash_balance_on IS NOT NULL
    ) a
    CROSS JOIN LATERAL (
        SELECT *, {flow either on either.day} AS rate_to_base
        FROM (
            SELECT CASE kind WHEN 'refund' THEN -1 ELSE 1 END AS sign, paid_on AS day, currency::text, base_rate,
                   coalesce(amount, 'NaN') AS amount
            FROM dashboard.payment AS payment
            WHERE tenant_id = a.tenant_id AND status = 'succeeded' AND paid_on BETWEEN a.first AND a.last
                AND kind IN ('payment', 'refund')
            UNION ALL
            SELECT -1, paid_on, currency::text, base_rate, coalesce(total, 'NaN')
            FROM dashboard.expense AS expense
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND paid_on BETWEEN a.first AND a.last
        ) either
        OFFSET 0
    ) moved
    {money moved}
    GROUP BY a.tenant_id, money.no_rate
""",
)
