"""Expenses: what was spent lately, by the day of the document and by the day paid, and what is still to pay."""

from __future__ import annotations

from workers.source.batch import statement

_EXPENSES = """
    SELECT a.tenant_id, e.{day} AS day, e.category, money.currency,
           count(*) AS documents,
           count(*) FILTER (WHERE e.tax IS NULL OR abs(e.total) < abs(e.tax)) AS anomalies,
           sum((coalesce(e.total, 'NaN') - coalesce(e.tax, 0)) * money.factor) AS net,
           sum(coalesce(e.total, 'NaN') * money.factor) AS gross
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT * FROM dashboard.expense
        WHERE tenant_id = a.tenant_id AND status = 'posted' AND {day} BETWEEN a.today - 60 AND a.today
        OFFSET 0
    ) e
    {converted e}
    GROUP BY a.tenant_id, e.{day}, e.category, money.currency
"""

# What was spent, by category, according to the documents of the trailing 60 days and today?
EXPENSES = statement(_EXPENSES, day="expense_date")

# The same by the day the money left.
PAID_EXPENSES = statement(_EXPENSES, day="paid_on")

# What will have to be paid by the end of the 30 days that begin today? What is overdue, at once. An expense without due
# date is left out: nobody knows when it will be paid, or whether it has been.
PAYABLES = statement("""
    SELECT tenant_id, due_on, currency, count(*) AS documents, sum(total) AS amount, sum(total * rate) AS own_base
    FROM (
        SELECT a.tenant_id, greatest(e.due_date, a.today) AS due_on, coalesce(e.currency::text, 'XXX') AS currency,
               coalesce(e.total, 'NaN') AS total, own.rate
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.expense
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND paid_on IS NULL AND due_date <= a.today + 29
            UNION ALL
            SELECT * FROM dashboard.expense
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND paid_on > a.today AND due_date <= a.today + 29
            OFFSET 0
        ) e
        {converted e}
    ) owed
    GROUP BY tenant_id, due_on, currency, rate IS NULL
""")
