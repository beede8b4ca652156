"""Expenses: what was spent lately, by the day of the document and by the day paid, and what is still to pay."""

from __future__ import annotations

from workers.facts import ExpenseGroup, PayableGroup
from workers.source.batch import Family

# Each expense of the trailing 60 days and today, by the day that {day} says.
SPENT = """
    SELECT a.tenant_id, e.{day} AS day, e.category, money.no_rate,
           e.tax IS NULL OR abs(e.total) < abs(e.tax) OR e.expense_date > a.today AS anomaly,
           round((coalesce(e.total, 'NaN') - coalesce(e.tax, 0)) * money.factor, money.places) AS net,
           round(coalesce(e.total, 'NaN') * money.factor, money.places) AS gross
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT expense_id, reference, category, vendor, expense_date, due_date, paid_on, currency, total, tax,
               {flow expense on expense.{day}} AS rate_to_base
        FROM dashboard.expense AS expense
        WHERE tenant_id = a.tenant_id AND status = 'posted' AND {day} BETWEEN a.today - 60 AND a.today
        OFFSET 0
    ) e
    {money e}
"""
_EXPENSES = """
    SELECT tenant_id, day, category, no_rate, count(*) AS documents, count(*) FILTER (WHERE anomaly) AS anomalies,
           sum(net) AS net, sum(gross) AS gross
    FROM ({spent}) AS spent
    GROUP BY tenant_id, day, category, no_rate
""".replace("{spent}", SPENT)

# What was spent, by category, according to the documents of the trailing 60 days and today?
EXPENSES = Family("expenses", ExpenseGroup, _EXPENSES.replace("{day}", "expense_date"))

# The same by the day the money left.
PAID_EXPENSES = Family("paid_expenses", ExpenseGroup, _EXPENSES.replace("{day}", "paid_on"))

# What goes out on each of the 30 days that begin today, and what do vendors owe us? An expense goes out on the day its
# payment is ordered for, else when due, else today; what is overdue, today.
UNPAID = """
    unpaid AS MATERIALIZED (
        SELECT a.tenant_id, e.vendor, money.no_rate, e.total < 0 AS credit,
               CASE WHEN e.paid_on > a.today THEN e.paid_on ELSE greatest(coalesce(e.due_date, a.today), a.today) END AS day,
               a.today + 29 AS last,
               round(coalesce(e.total, 'NaN') * money.factor, money.places) AS amount
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT *, {balance either} AS rate_to_base
            FROM (
                SELECT expense_id, reference, category, vendor, due_date, paid_on, currency, total, base_rate
                FROM dashboard.expense AS unpaid
                WHERE tenant_id = a.tenant_id AND status = 'posted' AND paid_on IS NULL
                UNION ALL
                SELECT expense_id, reference, category, vendor, due_date, paid_on, currency, total, base_rate
                FROM dashboard.expense AS ordered
                WHERE tenant_id = a.tenant_id AND status = 'posted' AND paid_on > a.today
            ) either
            OFFSET 0
        ) e
        {money e}
        WHERE e.total IS DISTINCT FROM 0
    ),
    crediting AS (
        SELECT tenant_id, vendor FROM unpaid WHERE credit AND vendor IS NOT NULL GROUP BY tenant_id, vendor
    )
"""

PAYABLES = Family(
    "payables",
    PayableGroup,
    """
    SELECT u.tenant_id, CASE WHEN NOT u.credit THEN u.day END AS day, c.vendor, u.no_rate,
           count(*) AS documents, sum(u.amount) AS amount
    FROM unpaid u
    FULL JOIN crediting c ON c.tenant_id = u.tenant_id AND c.vendor = u.vendor
    WHERE CASE WHEN u.credit THEN u.vendor IS NOT NULL ELSE u.day <= u.last END
    GROUP BY u.tenant_id, CASE WHEN NOT u.credit THEN u.day END, c.vendor, u.no_rate
""",
)
